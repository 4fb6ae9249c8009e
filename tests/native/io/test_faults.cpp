#include "check.h"
#include "io/faults.h"

using convergio::ErrorKind;
using convergio::io::Faults;

TEST(one_fault_speaks_for_itself) {
  Faults faults;
  CHECK(faults.empty());
  faults.add("a.json: is empty");
  CHECK(!faults.empty());
  CHECK_THROWS(faults.raise("config", "the folder", "download it again"), ModelCorrupt,
               "[config] a.json: is empty; download it again.");
}

TEST(several_faults_are_counted_and_joined) {
  Faults faults;
  faults.add("one", ErrorKind::UnsupportedModel);
  faults.add("two", ErrorKind::UnsupportedModel);
  CHECK_THROWS(faults.raise("config", "the folder", "download it again"), UnsupportedModel,
               "[config] the folder has 2 faults: one; two; download it again.");
}

TEST(a_corrupt_file_outranks_an_unsupported_one) {
  Faults faults;
  faults.add("one", ErrorKind::UnsupportedModel);
  faults.add("two", ErrorKind::ModelCorrupt);
  faults.add("three", ErrorKind::UnsupportedModel);
  CHECK_EQ(faults.kind(), ErrorKind::ModelCorrupt);
}

TEST(the_list_is_cut_after_twenty) {
  Faults faults;
  std::string listed;
  for (int i = 0; i < 23; ++i) {
    faults.add(std::to_string(i));
    if (i < 20) listed += std::to_string(i) + "; ";
  }
  CHECK_EQ(faults.size(), 23);
  CHECK_THROWS(faults.raise("config", "x", "stop"), ModelCorrupt,
               "[config] x has 23 faults: " + listed + "and 3 more; stop.");
}
