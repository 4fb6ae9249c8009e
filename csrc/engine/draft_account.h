#pragma once

namespace convergio::engine {

/// What the drafts of a model have saved in all requests, of which one may lose some: it takes a
/// few drafts to see whether they are any good for it. Seconds.
class DraftCredit {
 public:
  /// A token without drafts takes `step`; at first some of them are lent.
  void open(double step);
  void add(double seconds);
  /// What one request may lose.
  double lent() const;

 private:
  double step_ = 0;
  double seconds_ = 0;
};

/// What the drafts of an answer took and what they saved, in seconds: chances and costs are
/// estimates, so that is counted, and little may be lost.
class DraftAccount {
 public:
  explicit DraftAccount(DraftCredit* shared = nullptr) : shared_(shared) {}

  /// To find drafts, or to run them, took so long.
  void spend(double seconds);
  /// The same of what is no loss yet: a drafter has taken in tokens, for all drafts to come.
  void invest(double seconds);

  /// A pass begins of which it is not known yet what its drafted tokens take and save.
  void begin_pass() { each_ = 0; }
  /// They took so long, and each that comes saves `each`.
  void charge(double took, double each);
  /// One of them came.
  void note_accepted();

  /// Whether more is lost than half a percent of `elapsed`, and what is lent. What drafts saved
  /// long ago is not there for later ones to lose.
  bool in_debt(double elapsed) const;

  double spent() const { return spent_ + invested_; }
  double invested() const { return invested_; }
  /// All that was saved, less all that was spent.
  double saved() const { return saved_ - spent(); }

 private:
  DraftCredit* shared_;
  double balance_ = 0;
  double each_ = 0;
  double saved_ = 0;
  double spent_ = 0;
  double invested_ = 0;
};

}  // namespace convergio::engine
