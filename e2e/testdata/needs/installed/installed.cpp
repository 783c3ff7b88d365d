#include "installed.hpp"
std::string installed() { return "installed"; }
