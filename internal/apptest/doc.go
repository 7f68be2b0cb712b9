// Package apptest is the test harness of the repository: an application behind
// the middleware with a provider on an in-process network ([New]), a model of a
// browser and its cookies ([Browser], [Page]), and what attacks need: hosts of
// others ([NewSurrounded]), a record of all that was said ([NewAttacked]), a
// hunter of leaked secrets ([LeakHunt]) and a scripted provider for fuzzers
// ([Stage]).
//
// Every response of an [App] is audited: no handler panics, and no cookie lacks
// the attributes that all of the middleware's cookies have.
package apptest
