/* What CMake writes of libc++'s options, as its headers and its own sources include it (libcxx/include/__config_site.in of LLVM 21), for glibc and for musl. */
#ifndef _LIBCPP___CONFIG_SITE
#define _LIBCPP___CONFIG_SITE

#include <features.h>

#define _LIBCPP_ABI_VERSION 1
#define _LIBCPP_ABI_NAMESPACE __1
#define _LIBCPP_ABI_FORCE_ITANIUM 0
#define _LIBCPP_ABI_FORCE_MICROSOFT 0
#define _LIBCPP_HAS_THREADS 1
#define _LIBCPP_HAS_MONOTONIC_CLOCK 1
#ifdef __GLIBC__
#define _LIBCPP_HAS_MUSL_LIBC 0
#else
#define _LIBCPP_HAS_MUSL_LIBC 1
#endif
#define _LIBCPP_HAS_THREAD_API_PTHREAD 1
#define _LIBCPP_HAS_THREAD_API_EXTERNAL 0
#define _LIBCPP_HAS_THREAD_API_WIN32 0
#define _LIBCPP_HAS_THREAD_API_C11 0
#define _LIBCPP_HAS_VENDOR_AVAILABILITY_ANNOTATIONS 0
#define _LIBCPP_HAS_FILESYSTEM 1
#define _LIBCPP_HAS_RANDOM_DEVICE 1
#define _LIBCPP_HAS_LOCALIZATION 1
#define _LIBCPP_HAS_UNICODE 1
#define _LIBCPP_HAS_WIDE_CHARACTERS 1
/* Time zones are a part of libc++'s experimental library. */
#define _LIBCPP_HAS_TIME_ZONE_DATABASE 0
#define _LIBCPP_INSTRUMENTED_WITH_ASAN 0
#define _LIBCPP_PSTL_BACKEND_SERIAL
#define _LIBCPP_HARDENING_MODE_DEFAULT _LIBCPP_HARDENING_MODE_NONE
/* A program and each of its shared libraries have a libc++ of their own, which shows nothing of itself: two of them have two std::type_info of one exception, which are the
   same by their names (libcxx/include/typeinfo, "NonUnique"). */
#define _LIBCPP_TYPEINFO_COMPARISON_IMPLEMENTATION 2

#endif
