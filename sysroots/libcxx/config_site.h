/* What CMake writes of libc++'s options, as its headers and its own sources include it (libcxx/include/__config_site.in of LLVM 18). */
#ifndef _LIBCPP___CONFIG_SITE
#define _LIBCPP___CONFIG_SITE

#define _LIBCPP_ABI_VERSION 1
#define _LIBCPP_ABI_NAMESPACE __1
#define _LIBCPP_HAS_MUSL_LIBC
#define _LIBCPP_HAS_THREAD_API_PTHREAD
#define _LIBCPP_HAS_NO_VENDOR_AVAILABILITY_ANNOTATIONS
#define _LIBCPP_HAS_NO_TIME_ZONE_DATABASE
#define _LIBCPP_PSTL_CPU_BACKEND_SERIAL
#define _LIBCPP_HARDENING_MODE_DEFAULT 2 /* _LIBCPP_HARDENING_MODE_NONE, as it is upstream */

#endif
