// Reads a ledger with Go's own libraries: golang.org/x/mod/sumdb/note opens the checkpoint, sumdb/tlog makes and checks
// proofs from its tiles, transparency-dev/formats opens the cosignatures.
//
//	ledger_check URL LOG-VKEY [WITNESS-VKEY]...
//
// A line a check, "ok" or "not ok" before it; exit status 1 when one fails.
package main

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	fmtlog "github.com/transparency-dev/formats/log"
	fmtnote "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	height   = 8
	fileMax  = 64 << 20
	proofs   = 32 // records and older sizes tried, spread over the tree
	perfects = 1 << height
)

var failed bool

func check(err error, format string, args ...any) {
	what := fmt.Sprintf(format, args...)
	if err != nil {
		failed = true
		fmt.Printf("not ok %s: %v\n", what, err)
		return
	}
	fmt.Printf("ok %s\n", what)
}

// tiles reads a ledger's tiles where tlog-tiles puts them: without the height in their path, and with the full tile in
// a partial one's place once that was collected.
type tiles string

func (t tiles) get(path string) ([]byte, error) {
	r, err := http.Get(string(t) + path)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", path, r.Status)
	}
	return io.ReadAll(io.LimitReader(r.Body, fileMax))
}

func (t tiles) Height() int                     { return height }
func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var out [][]byte
	for _, w := range wanted {
		b, err := t.get(path(w))
		if err != nil && w.W < perfects {
			full := w
			full.W = perfects
			b, err = t.get(path(full))
		}
		if err != nil {
			return nil, err
		}
		if len(b) < w.W*tlog.HashSize {
			return nil, fmt.Errorf("%s: %d bytes", path(w), len(b))
		}
		out = append(out, b[:w.W*tlog.HashSize])
	}
	return out, nil
}

func path(t tlog.Tile) string {
	return strings.Replace(t.Path(), fmt.Sprintf("tile/%d/", height), "tile/", 1)
}

// entry reads one leaf out of its bundle.
func (t tiles) entry(index, size int64) ([]byte, error) {
	n := index / perfects
	w := perfects
	if (n+1)*perfects > size {
		w = int(size % perfects)
	}
	data := tlog.Tile{H: height, L: 0, N: n, W: w}
	name := strings.Replace(path(data), "tile/0/", "tile/entries/", 1)
	b, err := t.get(name)
	if err != nil {
		return nil, err
	}
	for i := int64(0); ; i++ {
		if len(b) < 2 {
			return nil, fmt.Errorf("%s ends at entry %d", name, i)
		}
		n := int(binary.BigEndian.Uint16(b))
		if len(b) < 2+n {
			return nil, fmt.Errorf("%s ends within entry %d", name, i)
		}
		if i == index%perfects {
			return b[2 : 2+n], nil
		}
		b = b[2+n:]
	}
}

func record(t tiles, tree tlog.Tree, reader tlog.HashReader, i int64) error {
	e, err := t.entry(i, tree.N)
	if err != nil {
		return err
	}
	p, err := tlog.ProveRecord(tree.N, i, reader)
	if err != nil {
		return err
	}
	return tlog.CheckRecord(p, tree.N, tree.Hash, i, tlog.RecordHash(e))
}

func older(tree tlog.Tree, reader tlog.HashReader, n int64) error {
	h, err := tlog.TreeHash(n, reader)
	if err != nil {
		return err
	}
	p, err := tlog.ProveTree(tree.N, n, reader)
	if err != nil {
		return err
	}
	return tlog.CheckTree(p, tree.N, tree.Hash, n, h)
}

func run(url, vkey string, witnesses []string) error {
	t := tiles(strings.TrimSuffix(url, "/") + "/")
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return err
	}
	signed, err := t.get("checkpoint")
	if err != nil {
		return err
	}
	_, err = note.Open(signed, note.VerifierList(v))
	check(err, "sumdb/note opens the checkpoint by %s", v.Name())
	if err != nil {
		return nil
	}
	cp, rest, _, err := fmtlog.ParseCheckpoint(signed, v.Name(), v)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("extension lines: %q", rest)
	}
	check(err, "formats/log reads it")
	if err != nil {
		return nil
	}
	for _, w := range witnesses {
		wv, err := fmtnote.NewVerifierForCosignatureV1(w)
		if err == nil {
			_, err = note.Open(signed, note.VerifierList(wv))
		}
		check(err, "formats/note opens the cosignature of %s", strings.SplitN(w, "+", 2)[0])
	}
	tree := tlog.Tree{N: int64(cp.Size)}
	copy(tree.Hash[:], cp.Hash)
	reader := tlog.TileHashReader(tree, t)
	root, err := tlog.TreeHash(tree.N, reader)
	if err == nil && root != tree.Hash {
		err = fmt.Errorf("root %v, signed %v", root, tree.Hash)
	}
	check(err, "sumdb/tlog finds the root of %d leaves in the tiles", tree.N)
	step := max(tree.N/proofs, 1)
	for i := int64(0); i < tree.N && err == nil; i += step {
		err = record(t, tree, reader, i)
	}
	check(err, "sumdb/tlog proves and checks records from 0 to %d in steps of %d", tree.N-1, step)
	err = nil
	for i := int64(1); i <= tree.N && err == nil; i += step {
		err = older(tree, reader, i)
	}
	check(err, "sumdb/tlog proves and checks the consistency of older sizes in steps of %d", step)
	return nil
}

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: ledger_check URL LOG-VKEY [WITNESS-VKEY]...")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if failed {
		os.Exit(1)
	}
}
