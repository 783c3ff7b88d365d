#pragma once
#include <glib-object.h>
typedef enum {
    HELLO_COLOR_RED,
    HELLO_COLOR_GREEN
} HelloColor;
