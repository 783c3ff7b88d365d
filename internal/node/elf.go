package node

import (
	"debug/elf"
	"fmt"
	"slices"
	"strings"

	"xbuild/internal/object"
)

// An API is the interface that a compiled module uses of Node.
type API string

// The interfaces. A module that calls V8 or Node's C++ serves one version of NODE_MODULE_VERSION; one of Node-API
// serves every Node that has its version of it.
const (
	NodeAPI API = "Node-API"
	V8API   API = "V8"
)

// v8Symbols begin the mangled names (Itanium C++ ABI, 5.1) of what V8 and Node export to modules in C++: functions,
// const ones, type information, tables.
var v8Symbols = func() []string {
	var out []string
	for _, space := range []string{"2v8", "4node"} {
		for _, kind := range []string{"_ZN", "_ZNK", "_ZTIN", "_ZTVN", "_ZTSN"} {
			out = append(out, kind+space)
		}
	}
	return append(out, "node_module_register")
}()

// symbols are those that a compiled module asks the program that loads it for, or shows to it.
func symbols(file string) ([]elf.Symbol, error) {
	s, f, err := object.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	e, err := object.OpenELF(s)
	if err == nil {
		err = e.ReadSections()
	}
	var list []elf.Symbol
	if err == nil {
		err = e.SymbolTable(elf.SHT_DYNSYM, func(s elf.Symbol) { list = append(list, s) })
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return list, nil
}

// Calls returns what a compiled module asks for, of all that has one of some parts in its name.
func Calls(file string, parts []string) ([]string, error) {
	if len(parts) == 0 {
		return nil, nil
	}
	list, err := symbols(file)
	var out []string
	for _, s := range list {
		if s.Section == elf.SHN_UNDEF && slices.ContainsFunc(parts, func(p string) bool {
			return strings.Contains(s.Name, p)
		}) {
			out = append(out, s.Name)
		}
	}
	return out, err
}

// Inspect tells the interface of a compiled module by what it asks the program that loads it for. It is sure: a symbol
// of V8 that is not asked for cannot be used.
func Inspect(file string) (API, error) {
	symbols, err := symbols(file)
	if err != nil {
		return "", err
	}
	napi := false
	for _, s := range symbols {
		if s.Section == elf.SHN_UNDEF && slices.ContainsFunc(v8Symbols, func(p string) bool {
			return strings.HasPrefix(s.Name, p)
		}) {
			return V8API, nil
		}
		// A module that registers itself by name (NODE_MODULE_INITIALIZER) exports a function with the version in its
		// name.
		if s.Section != elf.SHN_UNDEF && strings.HasPrefix(s.Name, "node_register_module_v") {
			return V8API, nil
		}
		napi = napi || strings.HasPrefix(s.Name, "napi_")
	}
	if !napi {
		return "", fmt.Errorf("%s uses neither Node-API nor V8: it is no module of Node", file)
	}
	return NodeAPI, nil
}
