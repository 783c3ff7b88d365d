package probe

import (
	"reflect"
	"strings"
	"testing"
)

// What Autoconf 2.72 and, without its vertical lines, 2.13 write.
const configLog = `configure:3176: checking for strptime
configure:3193: /v/aarch64-linux-gnu-clang -o conftest -O2 -DA=\"b c\"   conftest.c  >&5
conftest.c:13:21: error: call to undeclared function 'strptime'; ISO C99 and later do not support implicit function declarations [-Wimplicit-function-declaration]
   13 | struct tm t; return strptime("1970", "%Y", &t) == 0;
      |                     ^
1 error generated.
configure:3193: $? = 1
configure: failed program was:
| /* confdefs.h */
| #include <time.h>
| 
| int main (void) { struct tm t; return strptime("1970", "%Y", &t) == 0; }
configure:3204: result: no
configure:3300: checking for library containing old_name
configure:3310: cc -o conftest conftest.c >&5
conftest.c:1:9: error: call to undeclared function 'old_name'; ISO C99 and later do not support implicit function declarations [-Wimplicit-function-declaration]
configure:3310: $? = 1
configure: failed program was:
| int main(void) { old_name(); }
configure:3310: cc -o conftest conftest.c -lold >&5
configure:3310: $? = 0
configure:3320: result: -lold
configure:3330: checking for good
configure:3340: cc -c conftest.c >&5
conftest.c:1:3: error: call to undeclared function 'good'; ISO C99 and later do not support implicit function declarations [-Wimplicit-function-declaration]
configure:3340: $? = 1
configure: failed program was:
| int main(void) { good(); }
configure:3345: cc -c conftest.c >&5
configure:3345: $? = 0
configure:3350: result: no
configure:3400: checking for nothing
configure:3410: cc -c conftest.c 1>&5
conftest.c:1:8: error: type specifier missing, defaults to 'int'; ISO C99 and later do not support implicit int [-Wimplicit-int]
configure: failed program was:
#line 3402 "configure"
static n;
configure:3420: checking for more
configure:3430: result: yes

## ---------------- ##
## Cache variables. ##
`

func TestAutoconf(t *testing.T) {
	got := Autoconf(configLog, "/b")
	if len(got) != 3 {
		t.Fatalf("%d tests failed for good, want those for strptime, good and nothing, not that which another library answered: %+v", len(got), got)
	}
	want := Test{Name: "checking for strptime", Line: 2, Dir: "/b", Command: strings.Fields(`/v/aarch64-linux-gnu-clang -o conftest -O2 -DA=\"b c\" conftest.c`), File: "conftest.c",
		Source: "/* confdefs.h */\n#include <time.h>\n\nint main (void) { struct tm t; return strptime(\"1970\", \"%Y\", &t) == 0; }\n", Output: got[0].Output}
	if !reflect.DeepEqual(got[0], want) {
		t.Errorf("got\n%#v\nwant\n%#v", got[0], want)
	}
	f := Refusal{Place: Place{File: "conftest.c", Line: 13, Column: 21}, Message: "call to undeclared function 'strptime'; ISO C99 and later do not support implicit function declarations"}
	if !f.In(got[0].Output) || f.In(got[1].Output) {
		t.Errorf("a refusal is not found in its own test's output alone:\n%s", got[0].Output)
	}
	if old := got[2]; old.Name != "checking for nothing" || old.Source != "#line 3402 \"configure\"\nstatic n;\n" || strings.Join(old.Command, " ") != "cc -c conftest.c" {
		t.Errorf("without lines in front of the program: %#v", old)
	}
}

// What CMake 3.31 and 3.25 write, shortened.
const configureLog = `
---
events:
  -
    kind: "message-v1"
    message: |
      Running
  -
    kind: "try_compile-v1"
    checks:
      - "Performing Test HAVE_STRPTIME"
    directories:
      source: "/b/CMakeFiles/CMakeScratch/TryCompile-R"
      binary: "/b/CMakeFiles/CMakeScratch/TryCompile-R"
    buildResult:
      variable: "HAVE_STRPTIME"
      cached: true
      stdout: |
        Change Dir: '/b/CMakeFiles/CMakeScratch/TryCompile-R'
        
        Run Build Command(s): /n/ninja -v cmTC_e9f36
        [1/2] /v/clang -o src.c.o -c /b/src.c
        /b/CMakeFiles/CMakeScratch/TryCompile-R/src.c:2:38: error: call to undeclared function 'strptime' [-W]
        
      exitCode: 1
  -
    kind: "try_compile-v1"
    buildResult:
      variable: "TWICE"
      stdout: |
        Change Dir: '/b/1'
      exitCode: 1
  -
    kind: "try_compile-v1"
    buildResult:
      variable: "TWICE"
      stdout: |
        Change Dir: '/b/2'
      exitCode: 0
...
`

const errorLog = `Performing C SOURCE FILE Test HAVE_STRPTIME failed with the following output:
Change Dir: /b/CMakeFiles/CMakeScratch/TryCompile-R

Run Build Command(s):/n/ninja cmTC_e9f36 && [1/2] Building C object src.c.o
/b/src.c:2:38: error: call to undeclared function 'strptime' [-W]


Source file was:
int main(void) { return strptime(); }
Determining if the function other exists failed with the following output:
Change Dir: /b/CMakeFiles/CMakeScratch/TryCompile-S

Run Build Command(s):/n/ninja cmTC_2 && [1/2] Building C object src.c.o
`

func TestCMake(t *testing.T) {
	got := CMake(configureLog, "")
	if len(got) != 1 || got[0].Name != "Performing Test HAVE_STRPTIME" || got[0].Dir != "/b/CMakeFiles/CMakeScratch/TryCompile-R" || strings.Join(got[0].Ninja, " ") != "/n/ninja -v cmTC_e9f36" ||
		got[0].Line != 9 || !strings.Contains(got[0].Output, "src.c:2:38: error: call") {
		t.Errorf("CMakeConfigureLog.yaml: %+v\nwant HAVE_STRPTIME's event of line 9 alone: TWICE was found in the end", got)
	}
	got = CMake(errorLog, "")
	if len(got) != 2 || got[0].Name != "Performing C SOURCE FILE Test HAVE_STRPTIME" || got[0].Dir != "/b/CMakeFiles/CMakeScratch/TryCompile-R" || strings.Join(got[0].Ninja, " ") != "/n/ninja cmTC_e9f36" ||
		!strings.Contains(got[0].Output, "strptime") || got[1].Dir != "/b/CMakeFiles/CMakeScratch/TryCompile-S" || !strings.HasPrefix(got[1].Name, "Determining if the function other") {
		t.Errorf("CMakeError.log: %+v", got)
	}
}

const mesonLog = "Running compile:\nWorking directory:  /b/tmp1\nCode:\n#include <time.h>\nint main(void) { return !strptime(); }\n-----------\n" +
	"Command line: `/v/clang /b/tmp1/testfile.c -o /b/tmp1/output.exe '-DX=a b' -Werror=implicit-function-declaration` -> 1\n" +
	"stderr:\n/b/tmp1/testfile.c:2:26: error: call to undeclared function 'strptime' [-W]\n-----------\nChecking if \"strptime\" links: NO \n" +
	"Running compile:\nWorking directory:  /b/tmp2\nCode:\nint main(void) { return 0; }\n-----------\nCommand line: `/v/clang /b/tmp2/testfile.c` -> 0\nChecking if \"zero\" compiles: YES\n"

func TestMeson(t *testing.T) {
	got := Meson(mesonLog, "")
	if len(got) != 1 {
		t.Fatalf("%d tests failed, want strptime's: %+v", len(got), got)
	}
	want := Test{Name: `Checking if "strptime" links`, Line: 1, Dir: "/b/tmp1", File: "/b/tmp1/testfile.c", Source: "#include <time.h>\nint main(void) { return !strptime(); }\n",
		Command: []string{"/v/clang", "/b/tmp1/testfile.c", "-o", "/b/tmp1/output.exe", "-DX=a b", "-Werror=implicit-function-declaration"}, Added: "-Werror=implicit-function-declaration",
		Output: "stderr:\n/b/tmp1/testfile.c:2:26: error: call to undeclared function 'strptime' [-W]\n"}
	if !reflect.DeepEqual(got[0], want) {
		t.Errorf("got\n%#v\nwant\n%#v", got[0], want)
	}
}

// What clang 19 writes for four compilations: of C with such an error alone, of C with another error too, of C++, and
// with a warning.
const diagnostics = `<dict>
  <key>main-file</key>
  <string>/t/u.c</string>
  <key>diagnostics</key>
  <array>
    <dict>
      <key>level</key>
      <string>warning</string>
      <key>message</key>
      <string>other</string>
    </dict>
    <dict>
      <key>level</key>
      <string>error</string>
      <key>filename</key>
      <string>/t/u.c</string>
      <key>line</key>
      <integer>1</integer>
      <key>column</key>
      <integer>24</integer>
      <key>message</key>
      <string>call to undeclared function &apos;und&apos;; ISO C99 and later do not support implicit function declarations</string>
      <key>ID</key>
      <integer>5191</integer>
      <key>WarningOption</key>
      <string>implicit-function-declaration</string>
    </dict>
  </array>
</dict>
<dict><key>main-file</key><string>both.c</string><key>diagnostics</key><array>
<dict><key>level</key><string>error</string><key>message</key><string>m</string><key>WarningOption</key><string>implicit-int</string></dict>
<dict><key>level</key><string>fatal error</string><key>message</key><string>no such file</string></dict></array></dict>
<dict><key>main-file</key><string>x.cpp</string><key>diagnostics</key><array>
<dict><key>level</key><string>error</string><key>message</key><string>m</string><key>WarningOption</key><string>return-mismatch</string></dict></array></dict>
<dict><key>main-file</key><string>n.c</string><key>diagnostics</key><array>
<dict><key>level</key><string>error</string><key>message</key><string>m</string><key>WarningOption</key><string>c++11-narrowing</string></dict></array></dict>
<dict><key>main-file</key><string>w.c</string><key>diagnostics</key><array>
<dict><key>level</key><string>warning</string><key>message</key><string>m</string><key>WarningOption</key><string>implicit-int</string></dict></array></dict>
`

func TestRefusals(t *testing.T) {
	got, err := Refusals(diagnostics, []string{"implicit-function-declaration", "implicit-int", "return-mismatch"})
	want := []Refusal{{Place: Place{File: "u.c", Line: 1, Column: 24}, Group: "implicit-function-declaration",
		Message: "call to undeclared function 'und'; ISO C99 and later do not support implicit function declarations"}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v (%v)\nwant %+v", got, err, want)
	}
	if got[0].Function() != "und" || got[0].String() != "call to undeclared function 'und'" {
		t.Errorf("its function is %q, its text %q", got[0].Function(), got[0])
	}
	if _, err := Refusals(diagnostics[:200], []string{"implicit-int"}); err == nil {
		t.Error("half of a list is read without an error")
	}
}
