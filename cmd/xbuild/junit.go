package main

import (
	"encoding/xml"
	"fmt"
	"os"
	"strings"
	"unicode/utf8"

	"xbuild/internal/execute"
)

// The elements of JUnit's XML as its readers agree on them (the Jenkins xUnit plugin's junit-10.xsd): a suite a target,
// a case a platform.
type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Skipped  int          `xml:"skipped,attr"`
	Time     string       `xml:"time,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Time     string      `xml:"time,attr"`
	Cases    []junitCase `xml:"testcase"`
	seconds  float64
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Time    string        `xml:"time,attr"`
	Failure *junitMessage `xml:"failure"`
	Skipped *junitMessage `xml:"skipped"`
	Output  *junitText    `xml:"system-out"`
}

type junitText struct {
	Text string `xml:",cdata"`
}

type junitMessage struct {
	Message string `xml:"message,attr"`
}

// writeJUnit writes test results as JUnit XML.
func writeJUnit(file, project string, results []execute.TestResult) error {
	all := junitSuites{Name: project}
	seconds := 0.0
	for _, r := range results {
		if n := len(all.Suites); n == 0 || all.Suites[n-1].Name != r.Target {
			all.Suites = append(all.Suites, junitSuite{Name: r.Target})
		}
		suite := &all.Suites[len(all.Suites)-1]
		c := junitCase{Class: r.Target, Name: r.Platform + " (" + how(r) + ")", Time: fmt.Sprintf("%.3f", r.Seconds)}
		if r.Output != "" {
			c.Output = &junitText{xmlText(r.Output)}
		}
		switch r.Result {
		case execute.Failed:
			c.Failure = &junitMessage{xmlText(r.Reason)}
			suite.Failures++
		case execute.Skipped:
			c.Skipped = &junitMessage{xmlText(r.Reason)}
			suite.Skipped++
		}
		suite.Cases = append(suite.Cases, c)
		suite.Tests++
		suite.seconds += r.Seconds
		seconds += r.Seconds
	}
	for i := range all.Suites {
		s := &all.Suites[i]
		s.Time = fmt.Sprintf("%.3f", s.seconds)
		all.Tests, all.Failures, all.Skipped = all.Tests+s.Tests, all.Failures+s.Failures, all.Skipped+s.Skipped
	}
	all.Time = fmt.Sprintf("%.3f", seconds)
	data, err := xml.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append([]byte(xml.Header), append(data, '\n')...), 0o644)
}

// xmlText leaves out what XML 1.0 has no way to write: control characters, as in the colours of a terminal, and bytes
// that are no text.
func xmlText(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || r >= ' ' && r != utf8.RuneError && r != 0xfffe && r != 0xffff {
			return r
		}
		return '\uFFFD'
	}, s)
}
