package node

import (
	"strings"

	"xbuild/internal/compose"
	"xbuild/internal/env"
)

// Environment turns the environment of a platform's C compilers (ForC) into node-gyp's: gyp's Makefiles link with
// $LINK, and what they compile for the host they compile with the variables that end in _host (gyp's
// pylib/gyp/generator/make.py); without those the platform's compiler would make programs that are to run here. Where
// there is no C++ library, link says what the C compiler links a module with.
func Environment(c env.Environment, host compose.View, link []string) env.Environment {
	linker := c.Lookup("CXX")
	if len(link) > 0 {
		linker = strings.Join(append([]string{c.Lookup("CC")}, link...), " ")
	}
	e := c.Merge(env.Environment{
		{Name: "LINK", Value: linker},
		{Name: "CC_target", Value: c.Lookup("CC")}, {Name: "CXX_target", Value: c.Lookup("CXX")},
		{Name: "AR_target", Value: c.Lookup("AR")}, {Name: "LINK_target", Value: linker},
		{Name: "CC_host", Value: host.CC()}, {Name: "CXX_host", Value: host.CXX()}, {Name: "AR_host", Value: host.Tool("ar")},
		{Name: "LINK_host", Value: host.CXX()},
		{Name: "GYP_CROSSCOMPILE", Value: "1"},
	})
	e.Unset("CPP") // gyp takes it for flags of the preprocessor's
	return e
}

// byHand are gyp's variables for what it compiles for the host.
func byHand(_, host, _ compose.View, _ env.Settings) env.Environment {
	var e env.Environment
	e.Set("CC_host", host.CC())
	e.Set("CXX_host", host.CXX())
	e.Set("AR_host", host.Tool("ar"))
	e.Set("LINK_host", host.CXX())
	e.Set("GYP_CROSSCOMPILE", "1")
	return e
}
