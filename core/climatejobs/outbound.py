"""Where a program may connect to when it is a user who names the address. Pure: it looks nothing up.

Whoever connects looks a name up once, has every address checked here, and connects to those alone, so that a name
which means something else a moment later (rebinding) gets nowhere. A redirect is checked like the first address.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from climatejobs.errors import UserError

MAX_REDIRECTS = 3
SECONDS = 10.0
"""For one exchange, redirects included."""
# They carry an IPv4 address inside that a gateway would connect to.
_TRANSLATED = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("2002::/16"))

type Address = ipaddress.IPv4Address | ipaddress.IPv6Address
type Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class AddressRefused(UserError):
    """The address is not one that this installation connects to."""

    slug = "address-refused"
    title = "Address refused"


@dataclass(frozen=True)
class Allowance:
    """Where connections may go: public addresses, and private ones only where a network is named.

    Where `hosts` are named, only those, and addresses in `networks`. `*.example.org` is every host below it.
    """

    hosts: Sequence[str] = ()
    networks: Sequence[Network] = ()

    def check_url(self, url: str) -> None:
        """Raise `AddressRefused` where that can be told before the host is looked up."""
        try:
            parts = urlsplit(url)
            host = parts.hostname
        except ValueError:
            raise AddressRefused(f"{url} is no http or https address", hint="Give one.") from None
        if host is None or parts.scheme not in ("http", "https"):
            raise AddressRefused(f"{url} is no http or https address", hint="Give one.")
        if parts.username is not None or parts.password is not None:
            raise AddressRefused(f"the address at {host} carries a password", hint="Leave it out.")
        self._check_host(host)
        # A client does not look up what is an address already.
        if _parse_address(host) is not None:
            self._check_address(host, host)

    def check_addresses(self, host: str, addresses: Iterable[str]) -> list[str]:
        """The addresses that a host was found at, each once; raises `AddressRefused` if one is not to be used."""
        found = list(dict.fromkeys(addresses))
        for address in found:
            self._check_address(host, address)
        return found

    def _check_host(self, host: str) -> None:
        """One given as an address is checked as such."""
        if not self.hosts or _parse_address(host) is not None:
            return
        name = host.lower().rstrip(".")
        if not any(name.endswith(each[1:]) if each.startswith("*.") else name == each for each in self.hosts):
            raise AddressRefused(f"this installation does not connect to {host}", hint="Ask whoever runs it.")

    def _check_address(self, host: str, text: str) -> None:
        address = _parse_address(text)
        if address is not None and any(address in network for network in self.networks):
            return
        public = address is not None and address.is_global and not address.is_multicast
        if not public or any(address in network for network in _TRANSLATED):
            raise AddressRefused(f"{host} is at an address that is not public", hint="Use a public one.")
        if self.hosts and _parse_address(host) is not None:
            raise AddressRefused(f"this installation does not connect to {host}", hint="Ask whoever runs it.")


def read_allowance(entries: Sequence[str]) -> Allowance:
    """The allowance that settings name: each entry is a network or a host."""
    hosts: list[str] = []
    networks: list[Network] = []
    for entry in entries:
        try:
            networks.append(ipaddress.ip_network(entry))
        except ValueError:
            hosts.append(entry.lower())
    return Allowance(hosts, networks)


def redirect(url: str, location: str, hops: int) -> str:
    """Where a redirect leads, after so many before it; still to be checked. Raises `AddressRefused`."""
    if hops >= MAX_REDIRECTS:
        raise AddressRefused(f"{url} is behind more than {MAX_REDIRECTS} redirects", hint="Give the final address.")
    return urljoin(url, location)


def _parse_address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text.split("%", 1)[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
