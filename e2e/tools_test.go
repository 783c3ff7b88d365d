package e2e

import (
	"testing"

	"xbuild/internal/execute"
)

// toolFiles use each tool that xbuild brings for a build to run, beside compilers.
var toolFiles = map[string]string{
	"xbuild.toml": `[project]
platforms = ["linux/amd64"]

[target.calc]
recipe = "make"
tools = ["nasm", "yasm", "m4", "gperf", "bison", "flex", "protoc", "gettext"]
outputs = ["calc"]
test = 'echo 2+3 | "$XBUILD" run "$XBUILD_DIST/calc" | tr "\\n" " " | grep -qx "5 42 1 fruit "'
`,
	"Makefile": `calc: calc.y calc.l kinds.gperf triple.asm one.asm moment.proto de.po
	for tool in nasm yasm gperf bison flex m4 protoc msgfmt; do \
		case "$$(command -v $$tool)" in */trees/*) ;; *) echo "$$tool is not the store's"; exit 1;; esac; done
	bison -d calc.y
	flex calc.l
	gperf kinds.gperf > kinds.c
	nasm -f elf64 triple.asm -o triple.o
	yasm -f elf64 one.asm -o one.o
	protoc --cpp_out=. moment.proto
	grep -q 'class Moment' moment.pb.h
	msgfmt -c de.po -o de.mo
	msgunfmt de.mo | grep -q 'msgstr "Birne"'
	$(CC) $(CFLAGS) $(LDFLAGS) calc.tab.c lex.yy.c kinds.c triple.o one.o -o $@
`,
	"calc.y": `%{
#include <stdio.h>
int yylex(void);
void yyerror(const char *s) { puts(s); }
int triple(int);
int one(void);
const char *kind(const char *);
%}
%token NUM
%%
line: line sum '\n' { printf("%d\n", $2); } | ;
sum: NUM | sum '+' NUM { $$ = $1 + $3; } ;
%%
int main(void) {
    yyparse();
    printf("%d %d %s\n", triple(14), one(), kind("pear"));
}
`,
	"calc.l": `%option noyywrap nounput noinput
%{
#define YYSTYPE int
#include <stdlib.h>
#include "calc.tab.h"
%}
%%
[0-9]+ { yylval = atoi(yytext); return NUM; }
[+\n] return *yytext;
%%
`,
	"kinds.gperf": `%struct-type
%{
#include <string.h>
%}
struct k { const char *name, *kind; };
%%
pear, "fruit"
beet, "root"
%%
const char *kind(const char *s) {
    const struct k *k = in_word_set(s, strlen(s));
    return k ? k->kind : "none";
}
`,
	"triple.asm":   "global triple\nsection .text\ntriple: lea eax, [rdi+rdi*2]\nret\nsection .note.GNU-stack noalloc noexec nowrite progbits\n",
	"one.asm":      "global one\nsection .text\none: mov eax, 1\nret\nsection .note.GNU-stack noalloc noexec nowrite progbits\n",
	"moment.proto": "syntax = \"proto3\";\nimport \"google/protobuf/timestamp.proto\";\nmessage Moment { google.protobuf.Timestamp at = 1; }\n",
	"de.po":        "msgid \"\"\nmsgstr \"\"\n\"Project-Id-Version: calc 1\\n\"\n\"Content-Type: text/plain; charset=UTF-8\\n\"\n\nmsgid \"pear\"\nmsgstr \"Birne\"\n",
}

// TestTools: assemblers and generators named in tools run from the store, with what they read themselves.
func TestTools(t *testing.T) {
	needNetwork(t)
	dir := write(t, toolFiles)
	by, r := tested(t, dir, 0)
	if by["calc"]["linux/amd64"].Result != execute.Passed {
		t.Error(r)
	}
}
