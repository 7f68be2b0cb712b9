// Command mutants breaks the module on purpose, one way at a time, and checks
// that a test fails each time. Run it from the root of the module:
//
//	go run ./internal/mutants              # all mutants; takes several minutes
//	go run ./internal/mutants nonce        # the mutants with "nonce" in the name
//	go run ./internal/mutants -parallel 4  # on four copies at once
//
// It works on copies of the module and does not run in CI. It fails if the tests
// of a mutant pass, if a mutant does not compile, if the code that a mutant
// replaces is not in its file exactly once, and if a named test fails without
// any mutant.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

func main() {
	parallel := flag.Int("parallel", 2, "number of copies of the module to work on at once")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *parallel, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run tries the mutants with part in their name, or in that of their file, on as many copies of the module
// as parallel says.
func run(ctx context.Context, parallel int, part string) error {
	if parallel < 1 {
		return fmt.Errorf("-parallel is %d; it must be at least 1", parallel)
	}
	selected := slices.DeleteFunc(slices.Clone(mutants), func(m mutant) bool { return !strings.Contains(m.name, part) && !strings.Contains(m.file, part) })
	if len(selected) == 0 {
		return fmt.Errorf("no mutant has %q in its name or file", part)
	}
	temp, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	copies := make([]string, min(parallel, len(selected)))
	for i := range copies {
		copies[i] = filepath.Join(temp, strconv.Itoa(i))
		if err := copyModule(".", copies[i]); err != nil {
			return err
		}
	}
	if err := testUnchanged(ctx, copies[0], selected); err != nil {
		return err
	}
	total := &summary{}
	for r := range tryAll(ctx, copies, selected) {
		fmt.Println(r)
		total.add(r)
	}
	fmt.Println(total)
	return errors.Join(ctx.Err(), total.err())
}

// tryAll yields one result per mutant, in the order in which they finish, until
// ctx ends.
func tryAll(ctx context.Context, copies []string, selected []mutant) <-chan result {
	queue := make(chan mutant, len(selected))
	for _, m := range selected {
		queue <- m
	}
	close(queue)
	results := make(chan result)
	var workers sync.WaitGroup
	for _, root := range copies {
		workers.Go(func() {
			for m := range queue {
				if ctx.Err() == nil {
					results <- m.try(ctx, root)
				}
			}
		})
	}
	go func() {
		workers.Wait()
		close(results)
	}()
	return results
}
