// The frame of the pages for people: no scripts, readable on a phone.
#pragma once

#include "aggregator/http/message.h"

#include <string>
#include <string_view>

namespace vigil::aggregator {

/// A page of this content, which is markup.
http::Response html_page(std::string_view content);

}  // namespace vigil::aggregator
