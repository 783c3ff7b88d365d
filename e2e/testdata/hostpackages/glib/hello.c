// Says what generated code brought: of glib-compile-resources, glib-mkenums, glib-genmarshal, gdbus-codegen and, in the
// folder that is named, glib-compile-schemas.
#include <gio/gio.h>
#include <stdio.h>

#include "hello-dbus.h"
#include "hello-enums.h"
#include "hello-marshal.h"
#include "hello-resources.h"
#include "hello.h"

int main(int argc, char **argv)
{
    g_resources_register(hello_get_resource());
    GBytes *text = g_resources_lookup_data("/org/example/hello/greeting.txt", G_RESOURCE_LOOKUP_FLAGS_NONE, NULL);
    GEnumClass *colors = g_type_class_ref(hello_color_get_type());
    GSettingsSchemaSource *source = g_settings_schema_source_new_from_directory(argv[argc - 1], NULL, TRUE, NULL);
    GSettingsSchema *schema = source ? g_settings_schema_source_lookup(source, "org.example.hello", FALSE) : NULL;
    GSettingsSchemaKey *key = schema ? g_settings_schema_get_key(schema, "greeting") : NULL;
    GVariant *value = key ? g_settings_schema_key_get_default_value(key) : NULL;

    printf("%s", text ? (const char *)g_bytes_get_data(text, NULL) : "no resource\n");
    printf("%s %s %d\n", g_enum_get_value(colors, 1)->value_nick, ex_hello_interface_info()->methods[0]->name,
           hello_marshal_VOID__INT_STRING != NULL);
    printf("%s\n", value ? g_variant_get_string(value, NULL) : "no schema");
    return 0;
}
