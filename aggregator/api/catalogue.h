// The routes that say what series there are: series, labels, label values, metadata, targets/metadata.
#pragma once

#include "aggregator/api/desk.h"
#include "aggregator/api/sources.h"

namespace vigil::aggregator::api {

class Catalogue {
 public:
  /// `sources` outlives this.
  explicit Catalogue(const ApiSources& sources) : sources_(sources) {}

  http::Response series(const Errand& errand) const;
  http::Response label_names(const Errand& errand) const;
  /// The path is /api/v1/label/NAME/values.
  http::Response label_values(const Errand& errand) const;
  http::Response metadata(const Errand& errand) const;
  http::Response target_metadata(const Errand& errand) const;

 private:
  const ApiSources& sources_;
};

}  // namespace vigil::aggregator::api
