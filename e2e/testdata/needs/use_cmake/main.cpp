#include <greet.h>
#include <iostream>
#include <installed.hpp>
extern "C" {
#include <pclib.h>
}
#include "generated.h"
int main() { std::cout << greet() << " " << installed() << " " << GENERATED << " " << pclib() << "\n"; }
