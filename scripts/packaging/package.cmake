# What cpack needs for the Debian package. The paths are those of a system: scripts/package configures with the prefix /usr.
install(FILES ${CMAKE_CURRENT_SOURCE_DIR}/loopsnoop.service DESTINATION lib/systemd/system)
install(FILES ${CMAKE_CURRENT_SOURCE_DIR}/loopsnoop.default DESTINATION /etc/default RENAME loopsnoop)
install(FILES ${CMAKE_CURRENT_SOURCE_DIR}/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(CPACK_GENERATOR DEB)
set(CPACK_SET_DESTDIR ON) # /etc is outside the prefix
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_CONTACT "loopsnoop <loopsnoop@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "eBPF event-loop profiler and exporter for Prometheus")
set(CPACK_PACKAGE_DESCRIPTION
  "Follows the event-loop threads of running servers (asyncio, uvloop, Node, redis, nginx, any epoll loop)\n"
  "from outside and says why they froze: which line of code, on what, for how long, and whether it still hangs.")
string(REPLACE ";" "" CPACK_PACKAGE_DESCRIPTION "${CPACK_PACKAGE_DESCRIPTION}")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  ${CMAKE_CURRENT_SOURCE_DIR}/postinst ${CMAKE_CURRENT_SOURCE_DIR}/prerm ${CMAKE_CURRENT_SOURCE_DIR}/postrm
  ${CMAKE_CURRENT_SOURCE_DIR}/conffiles)
include(CPack)
