package env

import (
	"slices"
	"strings"
)

// A callers is a variable of the caller that builds see, or all that begin so.
type callers struct {
	name   string
	prefix bool
	// counts tells that another value may make another result. The others say where things are that are checked when
	// they are read (caches of tools, registries of what a lock file has the digests of), how they are reached, or to
	// whom.
	counts bool
}

// passed are all of them. What the commands read in a place that one of them names is an input by itself; a variable
// counts where another value makes them look elsewhere, for what may not be there.
var passed = []callers{
	{name: "HOME"}, {name: "TMPDIR"}, {name: "SSH_AUTH_SOCK"}, {name: "SSL_CERT_FILE"}, {name: "SSL_CERT_DIR"},
	{name: "HTTP_PROXY"}, {name: "HTTPS_PROXY"}, {name: "NO_PROXY"}, {name: "ALL_PROXY"}, {name: "http_proxy"},
	{name: "https_proxy"}, {name: "no_proxy"}, {name: "all_proxy"}, {name: "XDG_CACHE_HOME"},
	{name: "XDG_CONFIG_HOME", counts: true}, {name: "GOPROXY"}, {name: "GOSUMDB"}, {name: "GOPRIVATE"},
	{name: "GONOPROXY"}, {name: "GONOSUMDB"}, {name: "GOINSECURE"}, {name: "GOVCS"}, {name: "GOAUTH"},
	{name: "GOENV", counts: true}, {name: "GOCACHE"}, {name: "GOMODCACHE"}, {name: "GOTOOLCHAIN", counts: true},
	{name: "GOPATH", counts: true}, {name: "CARGO_HOME", counts: true}, {name: "CARGO_REGISTR", prefix: true},
	{name: "CARGO_HTTP_", prefix: true}, {name: "CARGO_NET_", prefix: true}, {name: "npm_config_registry"},
	{name: "npm_config_userconfig", counts: true}, {name: "npm_config_cache"}, {name: "NPM_CONFIG_REGISTRY"},
	{name: "NPM_CONFIG_USERCONFIG", counts: true}, {name: "NPM_CONFIG_CACHE"}, {name: "NPM_TOKEN"},
	{name: "YARN_NPM_", prefix: true}, {name: "NODE_EXTRA_CA_CERTS"}, {name: "GIT_SSL", prefix: true},
	{name: "NETRC", prefix: true},
}

// Builder is the name of the user in every build: some write it into what they make.
const Builder = "xbuild"

// Passed tells the variables of the caller that every build sees: where things are, which proxy, and how the languages'
// own tools are configured. All else is left out, so that the same project builds the same way everywhere.
func Passed(name string) bool { return slices.ContainsFunc(passed, callers{name: name}.is) }

// Counted are the variables among those of the caller that may change what is built.
func Counted(e Environment) Environment {
	var out Environment
	for _, v := range e {
		i := slices.IndexFunc(passed, callers{name: v.Name}.is)
		if i >= 0 && passed[i].counts {
			out = append(out, v)
		}
	}
	return out
}

func (c callers) is(in callers) bool {
	return c.name == in.name || in.prefix && strings.HasPrefix(c.name, in.name)
}

// PassedNames are the names of the variables that builds see; of those that begin alike the beginning.
func PassedNames() []string {
	var out []string
	for _, p := range passed {
		out = append(out, p.name)
	}
	return out
}
