package strictjson

import "slices"

// maxMembers bounds an object, whose every name is compared with those before it,
// and an array that becomes a slice.
const maxMembers = 128

// names are those of one object. The usual number needs no memory but its own.
type names struct {
	first [16]string
	rest  []string
	count int
	marks uint64 // a bit for each name: mostly enough to tell a new one
}

// add is false for a name that is there already, and for one too many.
func (n *names) add(name string) bool {
	mark := mark(name)
	if n.count == maxMembers || n.marks&mark != 0 && n.has(name) {
		return false
	}
	n.marks |= mark
	if n.count < len(n.first) {
		n.first[n.count] = name
	} else {
		n.rest = append(n.rest, name)
	}
	n.count++
	return true
}

func (n *names) has(name string) bool {
	return slices.Contains(n.first[:min(n.count, len(n.first))], name) || slices.Contains(n.rest, name)
}

func mark(name string) uint64 {
	if name == "" {
		return 1
	}
	return 1 << ((int(name[0]) ^ int(name[len(name)-1])<<2 ^ len(name)) % 64)
}
