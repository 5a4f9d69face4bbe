package memstore

import (
	"cmp"
	"iter"
	"math"
	"slices"
)

// chunkSize bounds how many pointers an insertion moves: 4 KiB.
const chunkSize = 512

// index keeps entries by group, and by age within it; entries of equal age by id, so that their order never changes.
//
// It is a sorted list in chunks, none of them empty. That is two levels of a B-tree, which is enough: for ten million
// entries the upper one is a slice of 40,000, searched by halving and moved once in some hundred insertions. Entries
// weigh 8 to 16 bytes each.
type index struct {
	group  func(*entry) string
	chunks [][]*entry
}

// place is where an entry stands in an index.
type place struct {
	group   string
	created int64
	id      string
}

// newest is the place after all entries of a group.
func newest(group string) place { return place{group: group, created: math.MaxInt64} }

func (p place) compare(q place) int {
	if c := cmp.Compare(p.group, q.group); c != 0 {
		return c
	}
	if c := cmp.Compare(p.created, q.created); c != 0 {
		return c
	}
	return cmp.Compare(p.id, q.id)
}

func (x *index) place(e *entry) place { return place{x.group(e), e.created, e.id} }

// find returns the first entry at p or after it, as chunk and position; len(x.chunks) and 0 if there is none.
func (x *index) find(p place) (i, j int) {
	i, _ = slices.BinarySearchFunc(x.chunks, p, func(chunk []*entry, p place) int {
		return x.place(chunk[len(chunk)-1]).compare(p)
	})
	if i == len(x.chunks) {
		return i, 0
	}
	j, _ = slices.BinarySearchFunc(x.chunks[i], p, func(e *entry, p place) int {
		return x.place(e).compare(p)
	})
	return i, j
}

func (x *index) insert(e *entry) {
	i, j := x.find(x.place(e))
	if i == len(x.chunks) {
		// Behind the last entry, where new records mostly go. Here a full chunk stays full: halves would stay half empty.
		if i == 0 || len(x.chunks[i-1]) == chunkSize {
			x.chunks = append(x.chunks, append(make([]*entry, 0, chunkSize), e))
			return
		}
		i, j = i-1, len(x.chunks[i-1])
	}
	if len(x.chunks[i]) == chunkSize {
		x.split(i)
		if j > chunkSize/2 {
			i, j = i+1, j-chunkSize/2
		}
	}
	x.chunks[i] = slices.Insert(x.chunks[i], j, e)
}

func (x *index) split(i int) {
	left := x.chunks[i]
	right := append(make([]*entry, 0, chunkSize), left[chunkSize/2:]...)
	x.chunks[i] = slices.Delete(left, chunkSize/2, chunkSize)
	x.chunks = slices.Insert(x.chunks, i+1, right)
}

// remove takes e out, whose place has to be what it was at insert.
func (x *index) remove(e *entry) {
	i, j := x.find(x.place(e))
	x.chunks[i] = slices.Delete(x.chunks[i], j, j+1)
	x.merge(i)
	x.merge(i - 1)
}

// merge joins chunk i with the next one, if both together leave room for as many entries again; and drops it if empty.
func (x *index) merge(i int) {
	switch {
	case i < 0 || i >= len(x.chunks):
	case len(x.chunks[i]) == 0:
		x.chunks = slices.Delete(x.chunks, i, i+1)
	case i+1 < len(x.chunks) && len(x.chunks[i])+len(x.chunks[i+1]) <= chunkSize/2:
		x.chunks[i] = append(x.chunks[i], x.chunks[i+1]...)
		x.chunks = slices.Delete(x.chunks, i+1, i+2)
	}
}

// size is how many entries a group has. It looks at none of them.
func (x *index) size(group string) int {
	i, j := x.find(place{group: group, created: math.MinInt64})
	end, size := x.find(newest(group))
	for ; i < end; i++ {
		size += len(x.chunks[i])
	}
	return size - j
}

// older walks through the entries of p's group that are before p, the newest first. It touches no other group.
func (x *index) older(p place) iter.Seq[*entry] {
	return func(yield func(*entry) bool) {
		for i, j := x.find(p); ; {
			for j == 0 {
				if i == 0 {
					return
				}
				i--
				j = len(x.chunks[i])
			}
			j--
			if e := x.chunks[i][j]; x.group(e) != p.group || !yield(e) {
				return
			}
		}
	}
}
