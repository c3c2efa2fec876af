// A log made by Tessera on a disk, with a policy of witnesses, for our witness to cosign and our monitor to follow.
//
//	tessera_log DIR SIGNER-KEY-FILE POLICY-FILE LISTEN COUNT
//
// Serves DIR at LISTEN, adds COUNT entries ten at a time so that there are several checkpoints, prints "published SIZE"
// when a witnessed checkpoint holds them, and serves on until standard input ends.
package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
)

const (
	together = 10
	patience = time.Minute
)

func add(ctx context.Context, a *tessera.Appender, w *tessera.PublicationAwaiter, from, to int) error {
	var last tessera.IndexFuture
	for i := from; i < to; i++ {
		last = a.Add(ctx, tessera.NewEntry(fmt.Appendf(nil, "entry %d", i)))
	}
	_, _, err := w.Await(ctx, last)
	return err
}

func run(dir, keyFile, policyFile, listen string, count int) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return err
	}
	signer, err := note.NewSigner(string(key))
	if err != nil {
		return err
	}
	policy, err := os.ReadFile(policyFile)
	if err != nil {
		return err
	}
	witnesses, err := tessera.NewWitnessGroupFromPolicy(policy)
	if err != nil {
		return fmt.Errorf("policy: %w", err)
	}
	driver, err := posix.New(ctx, posix.Config{Path: dir})
	if err != nil {
		return err
	}
	appender, _, reader, err := tessera.NewAppender(context.Background(), driver, tessera.NewAppendOptions().
		WithCheckpointSigner(signer).
		WithCheckpointInterval(time.Second).
		WithBatching(together, 100*time.Millisecond).
		WithWitnesses(witnesses, nil))
	if err != nil {
		return err
	}
	go func() {
		fmt.Fprintln(os.Stderr, http.ListenAndServe(listen, http.FileServer(http.Dir(dir))))
		os.Exit(1)
	}()
	awaiter := tessera.NewPublicationAwaiter(ctx, reader.ReadCheckpoint, 100*time.Millisecond)
	for i := 0; i < count; i += together {
		if err := add(ctx, appender, awaiter, i, min(i+together, count)); err != nil {
			return err
		}
	}
	fmt.Printf("published %d\n", count)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func main() {
	if len(os.Args) != 6 {
		fmt.Fprintln(os.Stderr, "usage: tessera_log DIR SIGNER-KEY-FILE POLICY-FILE LISTEN COUNT")
		os.Exit(2)
	}
	count, err := strconv.Atoi(os.Args[5])
	if err == nil {
		err = run(os.Args[1], os.Args[2], os.Args[3], os.Args[4], count)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
