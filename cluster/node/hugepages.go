package main

import (
	"bytes"
	"math"
	"os"
	"runtime/debug"
	"syscall"
)

const madviseHugePage = 14 // MADV_HUGEPAGE

// useHugePages has the kernel put the heap on huge pages, up to the memory limit, if there is one. Go itself leaves it
// to the machine's setting, and many distributions give huge pages only on request. An API server with thousands of
// objects feels it, above all in a virtual machine: nearly every step of a garbage collection is in another page than
// the one before, and every page is a fault when the heap grows.
func useHugePages() {
	limit := debug.SetMemoryLimit(-1)
	// Where the kernel promises no more memory than there is (2), addresses alone count as memory in use.
	strict, _ := os.ReadFile("/proc/sys/vm/overcommit_memory")
	if limit == math.MaxInt64 || bytes.HasPrefix(strict, []byte("2")) {
		return
	}
	// The heap has to be advised before it is used, and it grows in small steps: so all of it is taken at once, left
	// untouched, and given back. Go keeps the addresses, and takes the lowest that are free from then on.
	heap := make([]byte, limit/8*7)
	// Advice: where it is not taken, everything is as it was.
	_ = syscall.Madvise(heap, madviseHugePage)
	debug.FreeOSMemory()
}
