package env

import "xbuild/internal/compose"

// ForNode turns the environment of a platform's C compilers (ForC) into node-gyp's: gyp's Makefiles link with $LINK, and what they compile for the host they
// compile with the variables that end in _host (gyp's pylib/gyp/generator/make.py); without those the platform's compiler would make programs that are to run here.
func ForNode(c Environment, host compose.View) Environment {
	e := c.Merge(Environment{
		{"LINK", c.Lookup("CXX")},
		{"CC_target", c.Lookup("CC")}, {"CXX_target", c.Lookup("CXX")}, {"AR_target", c.Lookup("AR")}, {"LINK_target", c.Lookup("CXX")},
		{"CC_host", host.Tool("clang")}, {"CXX_host", host.Tool("clang++")}, {"AR_host", host.Tool("ar")}, {"LINK_host", host.Tool("clang++")},
		{"GYP_CROSSCOMPILE", "1"},
	})
	e.Unset("CPP") // gyp takes it for flags of the preprocessor's
	return e
}
