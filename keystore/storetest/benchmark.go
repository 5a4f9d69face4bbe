package storetest

import (
	"fmt"
	"testing"

	"github.com/claviger-go/claviger/keystore"
)

const perOwner = 10

// Benchmark measures a store at 1,000 and at 100,000 records, ten to an owner:
// Lookup that finds and that does not, from all cores at once, and with an
// AdminStore Insert, Update and List of one owner, one after the other. Under
// -short it leaves the 100,000 out.
//
//	BenchmarkStore/records=1000/op=lookup/outcome=found-8
//
// Filling the store is not measured; without [Config.Seed] it takes 101,000
// Inserts.
func Benchmark(b *testing.B, factory Factory, config Config) {
	b.Helper()
	if err := config.problems(factory); err != nil {
		b.Fatal(err)
	}
	sizes := []int{1_000, 100_000}
	if testing.Short() {
		sizes = sizes[:1]
	}
	for _, size := range sizes {
		b.Run(fmt.Sprintf("records=%d", size), func(b *testing.B) {
			newSuite(factory, config).benchmark(b, size)
		})
	}
}

func (s *suite) benchmark(b *testing.B, size int) {
	b.Helper()
	store, other := s.factory(b)
	t := &trial{TB: b, suite: s, duty: &duty{label: "Benchmark", text: "what is measured has to work."}}
	t.here, t.there = newHandle(t, "this handle", store), newHandle(t, "the other handle", other)
	if missing := s.capabilities() &^ t.here.has(); missing != 0 {
		b.Fatalf("storetest: the store is no %s, which Config declares", missing)
	}
	records := make([]keystore.Record, size)
	for n := range records {
		records[n] = t.key(fmt.Sprintf("%012d", n*7919%size), owner(fmt.Sprintf("acct_%d", n/perOwner)), created(n))
	}
	if s.AdminStore {
		t.fill(records)
	} else {
		records = t.put(records...)
	}
	b.Run("op=lookup/outcome=found", func(b *testing.B) {
		t.lookups(b, nil, func(n int) string { return records[n*7907%len(records)].ID })
	})
	b.Run("op=lookup/outcome=not-found", func(b *testing.B) {
		t.lookups(b, keystore.ErrNotFound, func(n int) string { return fmt.Sprintf("none%08d", n) })
	})
	if !s.AdminStore {
		return
	}
	b.Run("op=list", func(b *testing.B) {
		b.ReportAllocs()
		for n := 0; b.Loop(); n++ {
			f := keystore.Filter{Owner: records[n*7907%len(records)].Owner}
			if page, err := t.here.admin.List(b.Context(), f); err != nil || len(page.Records) != perOwner {
				b.Fatalf("List %+v: got %d records and %v, want %d", f, len(page.Records), err, perOwner)
			}
		}
	})
	b.Run("op=update", func(b *testing.B) { t.updates(b, records) })
	b.Run("op=insert", t.inserts)
}

func (t *trial) lookups(b *testing.B, want error, id func(n int) string) {
	b.Helper()
	ids := make([]string, 4096)
	for n := range ids {
		ids[n] = id(n)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for n := t.below(len(ids)); pb.Next(); n++ {
			if _, err := t.here.Lookup(b.Context(), ids[n%len(ids)]); (err == nil) != (want == nil) {
				b.Errorf("Lookup of %q: got %v, want %v", ids[n%len(ids)], err, want)
				return
			}
		}
	})
}

func (t *trial) updates(b *testing.B, records []keystore.Record) {
	b.Helper()
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		r := &records[n*7907%len(records)]
		r.Op = t.op()
		if err := t.here.admin.Update(b.Context(), *r); err != nil {
			b.Fatalf("Update of %q: %v", r.ID, err)
		}
		r.Version++
	}
}

// inserts keeps the store near its size: what it added is deleted now and then,
// while the clock stands.
func (t *trial) inserts(b *testing.B) {
	var added []string
	clean := func() {
		for _, id := range added {
			if err := t.here.admin.Delete(b.Context(), id, 0); err != nil {
				b.Fatalf("Delete of %q: %v", id, err)
			}
		}
		added = added[:0]
	}
	b.ReportAllocs()
	for b.Loop() {
		id := t.op()
		r := t.key(id, owner(id))
		if err := t.here.admin.Insert(b.Context(), r, keystore.Quota{Max: perOwner, Now: now()}); err != nil {
			b.Fatalf("Insert of %q: %v", id, err)
		}
		if added = append(added, id); len(added) == 500 {
			b.StopTimer()
			clean()
			b.StartTimer()
		}
	}
	clean()
}
