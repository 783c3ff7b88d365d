package pypi

import (
	"bufio"
	"cmp"
	"encoding/base64"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// A Config is what is read of pip's configuration: the index, and the credentials that its URL has.
type Config struct {
	Index string // base URL, without credentials and without a slash at its end
	host  string // that the credentials are for
	basic string // value of the Authorization header
}

// ReadConfig reads pip's configuration in pip's own order (pip's documentation, "Configuration"): the environment, the
// file that PIP_CONFIG_FILE names, the virtual environment's, the user's, the machine's, which lies below root.
func ReadConfig(getenv func(string) string, root string) (Config, error) {
	index := getenv("PIP_INDEX_URL")
	for _, file := range configFiles(getenv, root) {
		if index != "" {
			break
		}
		data, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			continue
		}
		if err != nil {
			return Config{}, err
		}
		index = ParseConf(string(data))
	}
	if index == "" {
		return Config{}, nil
	}
	u, err := url.Parse(index)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		// it may hold a password
		return Config{}, errors.New("pip's index-url is no URL that starts with https:// or http://")
	}
	c := Config{host: u.Host}
	if u.User != nil {
		password, _ := u.User.Password()
		c.basic = "Basic " + base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password))
		u.User = nil
	}
	c.Index = strings.TrimRight(u.String(), "/")
	return c, nil
}

// configFiles are pip's files, the one that counts most first.
func configFiles(getenv func(string) string, root string) []string {
	var files []string
	switch file := getenv("PIP_CONFIG_FILE"); file {
	case "":
	case os.DevNull:
		return nil // pip reads no file then
	default:
		files = append(files, file)
	}
	if env := getenv("VIRTUAL_ENV"); env != "" {
		files = append(files, filepath.Join(env, "pip.conf"))
	}
	if home := getenv("HOME"); home != "" {
		files = append(files, filepath.Join(cmp.Or(getenv("XDG_CONFIG_HOME"), filepath.Join(home, ".config")),
			"pip/pip.conf"), filepath.Join(home, ".pip/pip.conf"))
	}
	files = append(files, filepath.Join(root, "etc/pip.conf"))
	for _, dir := range filepath.SplitList(cmp.Or(getenv("XDG_CONFIG_DIRS"), "/etc/xdg")) {
		files = append(files, filepath.Join(root, dir, "pip/pip.conf"))
	}
	return files
}

// ParseConf returns index-url of a pip.conf: of [install], as pip install has it, else of [global]. Python's
// configparser reads it so: key = value or key: value, comments on lines of their own.
func ParseConf(text string) string {
	section, found := "", map[string]string{}
	scan := bufio.NewScanner(strings.NewReader(text))
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		line := scan.Text()
		trimmed := strings.TrimSpace(line)
		switch {
		case trimmed == "", strings.HasPrefix(trimmed, "#"), strings.HasPrefix(trimmed, ";"):
		case strings.HasPrefix(trimmed, "["):
			section, _, _ = strings.Cut(trimmed[1:], "]")
		default:
			i := strings.IndexAny(trimmed, "=:")
			if i < 0 {
				continue // more of the value before it
			}
			key := strings.ReplaceAll(strings.ToLower(strings.TrimSpace(trimmed[:i])), "_", "-")
			if key == "index-url" {
				found[section] = strings.TrimSpace(trimmed[i+1:])
			}
		}
	}
	return cmp.Or(found["install"], found["global"])
}

// Authorization is the header for a URL, "" where no credentials are configured for its host.
func (c Config) Authorization(u *url.URL) string {
	if c.basic == "" || u.Host != c.host {
		return ""
	}
	return c.basic
}
