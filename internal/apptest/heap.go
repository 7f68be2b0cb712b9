package apptest

import "runtime"

// HeapBytes returns the size of what is reachable.
func HeapBytes() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC() // sync.Pool lets go after two
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
