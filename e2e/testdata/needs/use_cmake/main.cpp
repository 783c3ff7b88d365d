#include <greet.h>
#include <iostream>
#include <installed.hpp>
#include "generated.h"
int main() { std::cout << greet() << " " << installed() << " " << GENERATED << "\n"; }
