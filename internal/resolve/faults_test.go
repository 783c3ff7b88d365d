package resolve

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"xbuild/internal/archive/archivetest"
)

// TestFaultyMirror: what is wrong with a mirror is told, with its address, and the next one is asked.
func TestFaultyMirror(t *testing.T) {
	now := time.Now()
	suite := func(s archivetest.Suite) *archivetest.Archive {
		s.Packages = []archivetest.Package{{Name: "hello", Version: "6.6", Arch: "amd64"}}
		if s.Name == "" {
			s.Name = "trixie"
		}
		return archivetest.New(t, s)
	}
	page := func(status int, text string) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			w.Write([]byte(text))
		}))
		t.Cleanup(server.Close)
		return server.URL
	}
	flipped := suite(archivetest.Suite{})
	other := suite(archivetest.Suite{})
	tampered := suite(archivetest.Suite{})
	if err := errors.Join(flipped.BreakSignature("trixie"), other.SignWithOtherKey("trixie"), tampered.TamperIndex("trixie", "amd64")); err != nil {
		t.Fatal(err)
	}
	wrong := suite(archivetest.Suite{Name: "forky", Path: "trixie", Alias: "testing"})
	expired := suite(archivetest.Suite{Date: time.Date(2019, 12, 1, 0, 0, 0, 0, time.UTC), ValidUntil: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)})
	future := suite(archivetest.Suite{Date: time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)})
	tomorrow := suite(archivetest.Suite{Date: now.Add(48 * time.Hour)})
	good := archivetest.New(t, archivetest.Suite{Name: "trixie", Date: day, ValidUntil: now.Add(time.Hour), Packages: []archivetest.Package{{Name: "hello", Version: "1.0", Arch: "amd64"}}})
	for _, c := range []struct{ name, url, fault string }{
		{"a page", page(200, "<html><body>Sign in to the network</body></html>"), "InRelease"},
		{"nothing", page(200, ""), "InRelease"},
		{"forbidden", page(403, ""), "403 Forbidden"},
		{"a flipped byte", flipped.URL, "signature is not good"},
		{"another key", other.URL, "none is trusted"},
		{"another suite", wrong.URL, `codename is "forky", want "trixie"`},
		{"an index that is another", tampered.URL, "the sha256 is"},
		{"expired", expired.URL, "expired on 2020-01-01T00:00:00Z: the mirror is not kept up to date, or somebody withholds newer ones; --allow-expired"},
		{"of 2099", future.URL, "its Release is of 2099-01-01T00:00:00Z, and today is"},
		{"of the day after tomorrow", tomorrow.URL, "is this machine's clock right?"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, notices := open(t, good)
			for _, x := range []*archivetest.Archive{flipped, wrong, tampered, expired, future, tomorrow} {
				a.Keyring = append(slices.Clone(a.Keyring), x.Keys...)
			}
			a.Mirrors = []string{c.url}
			if v, err := version(t, a); err == nil || !strings.Contains(err.Error(), c.fault) || !strings.Contains(err.Error(), c.url) {
				t.Errorf("alone: version %q, error %v, want in it %q and %q", v, err, c.url, c.fault)
			}
			*notices = nil
			a = again(a)
			a.Mirrors = []string{c.url, good.URL}
			if v, err := version(t, a); err != nil || v != "1.0" {
				t.Errorf("with a good one behind it: version %q, error %v", v, err)
			}
			said := strings.Join(*notices, "\n")
			if !strings.Contains(said, c.fault) || !strings.Contains(said, c.url) || strings.Contains(said, "older than one seen before") {
				t.Errorf("said %q, want in it %q and %q", said, c.url, c.fault)
			}
		})
	}
}

// TestExpired: a Release whose time is over is taken where the user says so, and from a mirror of a day at which it was
// not.
func TestExpired(t *testing.T) {
	test := archivetest.New(t, archivetest.Suite{Name: "trixie", Date: time.Date(2019, 12, 28, 0, 0, 0, 0, time.UTC), ValidUntil: time.Date(2020, 1, 4, 0, 0, 0, 0, time.UTC),
		Packages: []archivetest.Package{{Name: "hello", Version: "1.0", Arch: "amd64"}}})
	mux := http.NewServeMux()
	for _, date := range []string{"20200102T030405Z", "20210102T030405Z"} {
		mux.Handle("/archive/"+date+"/", http.StripPrefix("/archive/"+date, test.Handler()))
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	for _, c := range []struct {
		mirror string
		allow  bool
		ok     bool
		said   string
	}{
		{test.URL, false, false, ""},
		{test.URL, true, true, "the Release of trixie expired on 2020-01-04T00:00:00Z"},
		{server.URL + "/archive/20200102T030405Z", false, true, ""},
		{server.URL + "/archive/20210102T030405Z", false, false, ""},
		{server.URL + "/archive/20210102T030405Z", true, true, "expired on"},
	} {
		a, notices := open(t, test)
		a.Mirrors, a.AllowExpired = []string{c.mirror}, c.allow
		if _, err := version(t, a); (err == nil) != c.ok {
			t.Errorf("%s, allowed: %v: error %v, want success: %v", c.mirror, c.allow, err, c.ok)
		}
		if said := strings.Join(*notices, "\n"); !strings.Contains(said, c.said) || c.said == "" && said != "" {
			t.Errorf("%s, allowed: %v: said %q, want %q", c.mirror, c.allow, said, c.said)
		}
	}
}

// TestStanding: what the host's apt takes from its mirrors is taken from them, and from no other.
func TestStanding(t *testing.T) {
	test := archivetest.New(t, archivetest.Suite{Name: "trixie", Date: time.Date(2019, 12, 28, 0, 0, 0, 0, time.UTC), ValidUntil: time.Date(2020, 1, 4, 0, 0, 0, 0, time.UTC),
		Packages: []archivetest.Package{{Name: "hello", Version: "1.0", Arch: "amd64"}}})
	for _, standing := range []string{test.URL, test.URL + "/other"} {
		a, notices := open(t, test)
		a.Mirrors, a.Standing = []string{test.URL}, []string{standing}
		if _, err := version(t, a); (err == nil) != (standing == test.URL) || len(*notices) > 0 {
			t.Errorf("%s: error %v, said %q", standing, err, *notices)
		}
	}
}

// TestFutureSeen: a date that cannot be does not make honest ones look old.
func TestFutureSeen(t *testing.T) {
	test := archivetest.New(t, archivetest.Suite{Name: "trixie", Date: day, Packages: []archivetest.Package{{Name: "hello", Version: "1.0", Arch: "amd64"}}})
	a, notices := open(t, test)
	data, err := json.Marshal(map[string]time.Time{"trixie": time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(a.Debian().SeenFile(), data, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := version(t, a); err != nil || len(*notices) > 0 {
		t.Errorf("error %v, said %q", err, *notices)
	}
	if got := again(a).Debian().Seen("trixie"); !got.Equal(day) {
		t.Errorf("the newest seen is %v, want %v", got, day)
	}
}
