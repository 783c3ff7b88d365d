package npm

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"xbuild/internal/lazyregexp"
)

// A Config is what is read of npm's configuration: the registry, and the credentials for it.
type Config struct {
	Registry string            // base URL, without a slash at its end
	auth     map[string]string // "//host/path/" -> value of the Authorization header
}

// ReadConfig reads npm's configuration in npm's own order (npm help npmrc): variables of the environment, the project's
// .npmrc, the user's. project is the directory of the project, "" for none.
func ReadConfig(getenv func(string) string, project string) (Config, error) {
	var files []string
	if project != "" {
		files = append(files, filepath.Join(project, ".npmrc"))
	}
	switch user := first(getenv("npm_config_userconfig"), getenv("NPM_CONFIG_USERCONFIG")); {
	case user != "":
		files = append(files, user)
	case getenv("HOME") != "":
		files = append(files, filepath.Join(getenv("HOME"), ".npmrc"))
	}
	c := Config{Registry: first(getenv("npm_config_registry"), getenv("NPM_CONFIG_REGISTRY")), auth: map[string]string{}}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return Config{}, err
		}
		values, err := ParseRC(string(data), getenv)
		if err != nil {
			return Config{}, fmt.Errorf("%s: %w", file, err)
		}
		if c.Registry == "" {
			c.Registry = values["registry"]
		}
		for key, value := range authorization(values) {
			if c.auth[key] == "" {
				c.auth[key] = value
			}
		}
	}
	c.Registry = strings.TrimRight(c.Registry, "/")
	if c.Registry != "" {
		if u, err := url.Parse(c.Registry); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			return Config{}, fmt.Errorf("npm's registry %q is no URL that starts with https:// or http://", c.Registry)
		}
	}
	return c, nil
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// Authorization is the header for a URL, "" where no credentials are configured for its host and path. The longest
// matching entry counts, as in npm.
func (c Config) Authorization(u *url.URL) string {
	if u.Host == "" {
		return ""
	}
	for at := "//" + u.Host + strings.TrimRight(u.Path, "/") +
		"/"; len(at) > len("//"+u.Host); at = at[:strings.LastIndexByte(strings.TrimRight(at, "/"), '/')+1] {
		if value := c.auth[at]; value != "" {
			return value
		}
	}
	return ""
}

// authorization collects the credentials of a file: //host/path/:_authToken, :_auth, or :username with :_password,
// which is in base64.
func authorization(values map[string]string) map[string]string {
	out := map[string]string{}
	for key, value := range values {
		where, name, ok := cutLast(key, ":")
		at := strings.TrimRight(where, "/") + "/"
		if !ok || !strings.HasPrefix(at, "//") || value == "" {
			continue
		}
		switch name {
		case "_authToken":
			out[at] = "Bearer " + value
		case "_auth":
			if out[at] == "" {
				out[at] = "Basic " + value
			}
		case "username":
			password, err := base64.StdEncoding.DecodeString(values[where+":_password"])
			if err == nil && len(password) > 0 && out[at] == "" {
				out[at] = "Basic " + base64.StdEncoding.EncodeToString([]byte(value+":"+string(password)))
			}
		}
	}
	return out
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

var variable = lazyregexp.New(`\$\{([^{}?]+)(\?)?\}`)

// ParseRC reads an .npmrc: lines of key = value (npm's ini), with ${NAME} for variables of the environment. A variable
// that is not set stays as it is written, with ${NAME?} it is empty. Of lists and sections nothing is needed here, and
// they are left out.
func ParseRC(text string, getenv func(string) string) (map[string]string, error) {
	out := map[string]string{}
	for i, line := range strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == ';' || line[0] == '#' {
			continue
		}
		if line[0] == '[' {
			break // what follows are the keys of a section
		}
		if strings.ContainsRune(line, 0) {
			return nil, fmt.Errorf("line %d: has a NUL character", i+1)
		}
		key, value, _ := strings.Cut(line, "=")
		key, value = unquote(strings.TrimSpace(key)), unquote(strings.TrimSpace(value))
		if strings.HasSuffix(key, "[]") {
			continue
		}
		expand := func(s string) string {
			return variable.ReplaceAllStringFunc(s, func(word string) string {
				m := variable.FindStringSubmatch(word)
				if v := getenv(m[1]); v != "" || m[2] != "" {
					return v
				}
				return word
			})
		}
		out[expand(key)] = expand(value)
	}
	return out, nil
}

// unquote takes off quotes, or a comment behind a bare value.
func unquote(s string) string {
	if len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0] {
		return s[1 : len(s)-1]
	}
	for i := 1; i < len(s); i++ {
		if (s[i] == ';' || s[i] == '#') && (s[i-1] == ' ' || s[i-1] == '\t') {
			return strings.TrimSpace(s[:i])
		}
	}
	return s
}
