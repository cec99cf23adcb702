# The three images: targets `api`, `operator` and `runner`. images/build builds them all, with or without Docker.
#
# Each holds the dependencies of its part in a virtual environment and, in small layers above, core and that part.
# Our sources come last, so that a change of them leaves all else in the cache.
# What is needed for building is mounted from the stage `builder`, so no pip and no script of ours ends up in an image.
# The secrets `pip` (a pip.conf) and `ca` (certificates) are optional: what the host needs to reach its package index.
ARG BASE_IMAGE=python:3.13-slim


FROM ${BASE_IMAGE} AS base
# catatonit hands signals on to the program, so that a pod ends when it is told to.
RUN command -v catatonit >/dev/null || { \
        apt-get update --quiet --quiet \
        && apt-get install --quiet --quiet --yes --no-install-recommends catatonit \
        && rm -rf /var/lib/apt/lists/*; \
    }
RUN echo 'climatejobs:x:10001:10001:climatejobs:/tmp:/usr/sbin/nologin' >>/etc/passwd \
    && echo 'climatejobs:x:10001:' >>/etc/group
# Bytecode is compiled when the image is built; at run time the file system is read-only.
ENV PATH=/opt/climatejobs/bin:/opt/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONPATH=/opt/climatejobs/lib \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp
WORKDIR /tmp


FROM base AS builder
RUN python3 -m venv /opt/build/pip
COPY --chmod=755 images/install images/assemble /opt/build/


FROM base AS api
COPY requirements/api.txt /opt/requirements.txt
# Of `kubernetes` the API uses what finds the cluster and its credentials: the generated models and calls, which are
# loaded only where they are named, are a third of the image.
RUN --mount=type=bind,from=builder,source=/opt/build,target=/opt/build \
    --mount=type=secret,id=pip --mount=type=secret,id=ca \
    /opt/build/install 'kubernetes/client/api/[a-z]*' 'kubernetes/client/models/[a-z]*' \
        'kubernetes/aio/client/api/[a-z]*' 'kubernetes/aio/client/models/[a-z]*'
EXPOSE 8080
ENTRYPOINT ["catatonit", "--", "climatejobs-api"]
ARG VERSION=
LABEL org.opencontainers.image.title="climatejobs api" \
      org.opencontainers.image.description="REST API of climatejobs: OGC API - Processes over ClimateJobs" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY core api /opt/climatejobs/lib/
RUN --mount=type=bind,from=builder,source=/opt/build,target=/opt/build /opt/build/assemble api
USER 10001:10001


FROM base AS operator
COPY requirements/operator.txt /opt/requirements.txt
RUN --mount=type=bind,from=builder,source=/opt/build,target=/opt/build \
    --mount=type=secret,id=pip --mount=type=secret,id=ca \
    /opt/build/install
EXPOSE 8080
ENTRYPOINT ["catatonit", "--", "climatejobs-operator"]
ARG VERSION=
LABEL org.opencontainers.image.title="climatejobs operator" \
      org.opencontainers.image.description="Operator of climatejobs: runs ClimateJobs as Kubernetes Jobs" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY core operator /opt/climatejobs/lib/
RUN --mount=type=bind,from=builder,source=/opt/build,target=/opt/build /opt/build/assemble operator
USER 10001:10001


FROM base AS runner
COPY requirements/runner.txt /opt/requirements.txt
RUN --mount=type=bind,from=builder,source=/opt/build,target=/opt/build \
    --mount=type=secret,id=pip --mount=type=secret,id=ca \
    /opt/build/install
ENTRYPOINT ["catatonit", "--", "climatejobs-runner"]
ARG VERSION=
LABEL org.opencontainers.image.title="climatejobs runner" \
      org.opencontainers.image.description="Runner of climatejobs: computes one ClimateJob" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY core runner /opt/climatejobs/lib/
RUN --mount=type=bind,from=builder,source=/opt/build,target=/opt/build /opt/build/assemble runner
USER 10001:10001
