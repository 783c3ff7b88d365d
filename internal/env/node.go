package env

import (
	"strings"

	"xbuild/internal/compose"
)

// ForNode turns the environment of a platform's C compilers (ForC) into node-gyp's: gyp's Makefiles link with $LINK,
// and what they compile for the host they compile with the variables that end in _host (gyp's
// pylib/gyp/generator/make.py); without those the platform's compiler would make programs that are to run here. Where
// there is no C++ library, link says what the C compiler links a module with.
func ForNode(c Environment, host compose.View, link []string) Environment {
	linker := c.Lookup("CXX")
	if len(link) > 0 {
		linker = strings.Join(append([]string{c.Lookup("CC")}, link...), " ")
	}
	e := c.Merge(Environment{
		{"LINK", linker},
		{"CC_target", c.Lookup("CC")}, {"CXX_target", c.Lookup("CXX")}, {"AR_target", c.Lookup("AR")}, {"LINK_target", linker},
		{"CC_host", host.Tool("clang")}, {"CXX_host", host.Tool("clang++")}, {"AR_host", host.Tool("ar")}, {"LINK_host", host.Tool("clang++")},
		{"GYP_CROSSCOMPILE", "1"},
	})
	e.Unset("CPP") // gyp takes it for flags of the preprocessor's
	return e
}
