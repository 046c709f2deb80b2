// Catch2 with printers for vigil's own types, so that a failed REQUIRE(result) shows the error's message.
#pragma once

#include "common/error.h"
#include "common/series.h"

#include <catch2/catch.hpp>

namespace Catch {

template <class T>
struct StringMaker<boost::system::result<T, vigil::Error>> {
  static std::string convert(const boost::system::result<T, vigil::Error>& result) {
    if (!result)
      return fmt::format("error {}: {}", vigil::to_string(result.error().code), result.error().message);
    return "ok";
  }
};

template <>
struct StringMaker<vigil::Labels> {
  static std::string convert(const vigil::Labels& labels) { return labels.to_string(); }
};

}  // namespace Catch
