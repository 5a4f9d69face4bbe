package filestore

import (
	"io/fs"
	"maps"
	"slices"

	"github.com/claviger-go/claviger/keystore"
)

// snapshot is one generation of the file. It never changes, so that whoever holds one needs no lock.
type snapshot struct {
	info       fs.FileInfo // stat of the file that holds it
	generation uint64
	size       int64 // bytes of the file
	byID       map[string]*entry
	byAge      []*entry // oldest first
}

func newSnapshot(generation uint64) *snapshot {
	sn := &snapshot{generation: generation, byID: map[string]*entry{}}
	sn.size = int64(len(header(generation)) + len(tail(sum{})))
	return sn
}

// edit returns the next generation: without one entry, and with another; each may be nil.
func (sn *snapshot) edit(without, with *entry) *snapshot {
	next := newSnapshot(sn.generation + 1)
	next.size += sn.size - int64(len(header(sn.generation))+len(tail(sum{})))
	next.byID = maps.Clone(sn.byID)
	next.byAge = append(make([]*entry, 0, len(sn.byAge)+1), sn.byAge...)
	if without != nil {
		delete(next.byID, without.id)
		at, _ := next.find(without.place())
		next.byAge = slices.Delete(next.byAge, at, at+1)
		next.size -= lineSize(without)
	}
	if with != nil {
		next.byID[with.id] = with
		at, _ := next.find(with.place())
		next.byAge = slices.Insert(next.byAge, at, with)
		next.size += lineSize(with)
	}
	return next
}

// find returns how many entries are before p, and whether one is there.
func (sn *snapshot) find(p place) (at int, found bool) {
	return slices.BinarySearchFunc(sn.byAge, p, func(e *entry, p place) int { return e.place().compare(p) })
}

// reached reports whether there is no room for e.
func (sn *snapshot) reached(e *entry, q keystore.Quota) bool {
	if q.Max == 0 {
		return false
	}
	left, now := q.Max, q.Now.UnixMicro()
	for _, other := range sn.byAge {
		if left <= 0 {
			break
		}
		if other.owner == e.owner && other.typ == e.typ && other.kind == e.kind && other.live(now) {
			left--
		}
	}
	return left <= 0
}

// changes lists the ids of those records that next has no more, or has otherwise. Each generation is one mutation: if
// there were more of them than differences, all tells that some cannot be seen, such as an Insert that was followed by a
// Delete.
func (sn *snapshot) changes(next *snapshot) (ids []string, all bool) {
	kept := 0
	for _, e := range sn.byAge {
		now := next.byID[e.id]
		if now != nil {
			kept++
		}
		if now == nil || now != e && now.line != e.line {
			ids = append(ids, e.id)
		}
	}
	differences := len(ids) + len(next.byID) - kept
	return ids, next.generation > sn.generation+uint64(differences)
}
