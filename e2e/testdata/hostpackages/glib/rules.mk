# What both Makefiles do with the programs that they found.
GENERATED = hello-resources.c hello-dbus.c hello-enums.c hello-marshal.c
HEADERS = $(GENERATED:.c=.h)

all: hello gschemas.compiled

hello: ../hello.c $(GENERATED) $(HEADERS)
	$(CC) $(CFLAGS) -I. -I.. $(LDFLAGS) -o $@ ../hello.c $(GENERATED) $(LIBS)

hello-resources.c hello-resources.h: ../hello.gresource.xml
	$(GLIB_COMPILE_RESOURCES) --sourcedir=.. --c-name hello --generate --target=$@ $<

hello-dbus.c: ../org.example.Hello.xml
	$(GDBUS_CODEGEN) --interface-prefix org.example. --c-namespace Ex --body --output $@ $<

hello-dbus.h: ../org.example.Hello.xml
	$(GDBUS_CODEGEN) --interface-prefix org.example. --c-namespace Ex --header --output $@ $<

hello-enums.h: ../hello.h
	$(GLIB_MKENUMS) --fhead '#include <glib-object.h>\n' --vhead 'GType @enum_name@_get_type(void);\n' --output $@ $<

hello-enums.c: ../hello.h
	$(GLIB_MKENUMS) --fhead '#include "hello-enums.h"\n#include "hello.h"\n' \
	  --vhead 'GType @enum_name@_get_type(void)\n{\n    static const G@Type@Value values[] = {\n' \
	  --vprod '        { @VALUENAME@, "@VALUENAME@", "@valuenick@" },\n' \
	  --vtail '        { 0, NULL, NULL }\n    };\n    return g_@type@_register_static("@EnumName@", values);\n}\n' --output $@ $<

hello-marshal.h: ../marshal.list
	$(GLIB_GENMARSHAL) --prefix hello_marshal --header --output $@ $<

hello-marshal.c: ../marshal.list
	$(GLIB_GENMARSHAL) --prefix hello_marshal --body --prototypes --output $@ $<

gschemas.compiled: ../org.example.hello.gschema.xml
	$(GLIB_COMPILE_SCHEMAS) --targetdir=. ..
