// Package strictjson reads JSON that every parser reads alike, and writes JSON
// that is the same in every process.
//
// What encoding/json forgives is refused, at any depth: a member twice, also when
// escapes spell its name; invalid UTF-8 and lone surrogates; data after the end
// (RFC 8259, I-JSON of RFC 7493). Names keep their case: "EXP" is not "exp". What
// could cost more than its length is bounded: 32 levels, 128 members to an object
// and to an array that is taken apart.
//
// Values stay text: substrings of what was read, and valid JSON themselves.
package strictjson
