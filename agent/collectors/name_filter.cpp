#include "agent/collectors/name_filter.h"

#include <re2/re2.h>

namespace vigil::agent {

NameFilter::NameFilter(const std::string& exclude) {
  if (!exclude.empty()) expression_ = std::make_unique<re2::RE2>(exclude, re2::RE2::Quiet);
}

NameFilter::~NameFilter() = default;
NameFilter::NameFilter(NameFilter&&) noexcept = default;
NameFilter& NameFilter::operator=(NameFilter&&) noexcept = default;

Result<void> NameFilter::valid() const {
  if (expression_ == nullptr || expression_->ok()) return {};
  return fail(Errc::invalid_argument, "'{}' is not a regular expression: {}", expression_->pattern(),
              expression_->error());
}

bool NameFilter::excludes(std::string_view name) {
  if (expression_ == nullptr || !expression_->ok()) return false;
  if (place_ < verdicts_.size() && verdicts_[place_].name == name) return verdicts_[place_++].excluded;
  // A list that changed: the verdict of this place is replaced, and the following places follow one by one.
  const bool excluded = re2::RE2::PartialMatch(re2::StringPiece(name.data(), name.size()), *expression_);
  if (place_ >= kMaxRemembered) return excluded;
  if (place_ >= verdicts_.size()) verdicts_.resize(place_ + 1);
  verdicts_[place_++] = {std::string(name), excluded};
  return excluded;
}

}  // namespace vigil::agent
