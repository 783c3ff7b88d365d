#pragma once
#include <string>
std::string installed();
