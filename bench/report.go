package bench

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Machine describes the date, the Go version, the machine and its load.
func Machine() string {
	cpu := "unknown"
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		_, rest, _ := strings.Cut(string(info), "model name")
		line, _, _ := strings.Cut(rest, "\n")
		cpu = strings.Trim(line, ": \t")
	}
	load := "unknown"
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		load, _, _ = strings.Cut(string(text), " ")
	}
	return fmt.Sprintf("%s, %s, %s/%s, CPU %q, %d cores, load average at the start %s",
		time.Now().Format(time.DateOnly), runtime.Version(), runtime.GOOS, runtime.GOARCH, cpu, runtime.NumCPU(), load)
}

// Median returns the median of values, or 0 if there are none. It sorts values.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	middle := len(values) / 2
	if len(values)%2 == 0 {
		return (values[middle-1] + values[middle]) / 2
	}
	return values[middle]
}

// Insert replaces the text between the two comments that name the section in
// performance.md in dir.
func Insert(dir, section, text string) error {
	file := filepath.Join(dir, "performance.md")
	page, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	begin, end := []byte("<!-- "+section+" -->\n"), []byte("<!-- end of "+section+" -->")
	from, to := bytes.Index(page, begin), bytes.Index(page, end)
	if from < 0 || to < from {
		return errors.New("bench: no section " + section + " in " + file)
	}
	from += len(begin)
	return os.WriteFile(file, slices.Concat(page[:from], []byte("\n"+text+"\n"), page[to:]), 0o666)
}
