package main

// agreementMutants break what instances agree on when something comes at a bad moment.
var agreementMutants = []mutant{
	{
		name: "a fault in a refresh keeps its lock", file: "internal/instances/giveback.go",
		old: "	t.end(context.Background())\n", new: "	_ = context.Background\n",
		tests: "TestCoordinatorPanicInRefresh",
	},
	{
		name: "an end takes the place of tokens that wait", file: "internal/instances/outcome.go",
		old: "addOr(\"keep \"+key,", new: "addOr(key,",
		packages: "./internal/instances", tests: "TestTurnEndedWhileAway",
	},
	{
		name: "what is given up keeps its lock", file: "internal/instances/outcome.go",
		old: "	}, t.stopRenewing)\n", new: "	}, func() {})\n",
		packages: "./internal/instances", tests: "TestTurnDropped",
	},
	{
		name: "a refresh does not wait for results after an outage", file: "internal/instances/turn.go",
		old: "	if wait <= 0 {\n", new: "	if wait <= time.Hour {\n",
		packages: "./internal/instances", tests: "TestTurnAfterOutage",
	},
	{
		name: "a slow look is believed", file: "internal/instances/known.go",
		old: "	if k.of[id] != e {\n		return false\n", new: "	if k.of[id] != e {\n		learn(false)\n		return true\n",
		packages: "./internal/instances", tests: "TestLookWhileSessionEnds|TestSlowLookKeepsNewerMark",
	},
	{
		name: "a look takes as long as it takes", file: "internal/instances/sessions.go",
		old: "context.WithTimeoutCause(ctx, callTimeout, ErrAway)", new: "context.WithTimeoutCause(ctx, time.Hour, ErrAway)",
		packages: "./internal/instances", tests: "TestLookIsBounded",
	},
	{
		name: "a mark that was learned late stays", file: "internal/memory/agreed.go",
		old: "		delete(marks, owner.id)\n", new: "		_ = marks\n",
		packages: "./internal/instances", tests: "TestMarkIsOver",
	},
	{
		name: "a mark that was evicted is not written again", file: "internal/instances/end.go",
		old: "	if left <= 0 {\n		return\n	}\n", new: "	if left < 1e18 {\n		return\n	}\n",
		packages: "./internal/instances", tests: "TestMarkIsEvicted",
	},
	{
		name: "only the first instance tells an empty Coordinator what it knows", file: "internal/instances/watch.go",
		old: "	if err != nil {\n		return false\n	}\n	now := time.Now()\n", new: "	if err != nil || alive != nil {\n		return err == nil\n	}\n	now := time.Now()\n",
		packages: "./internal/instances", tests: "TestAllRestore",
	},
	{
		name: "a logout leaves a session alone that cannot be told", file: "logout.go",
		old: "			rec, proven = m.sessions.Carried(r)\n", new: "			rec, proven = nil, false\n",
		tests: "TestCoordinatorEndsWhatCannotBeTold",
	},
	{
		name: "a login leaves a session alone that cannot be told", file: "callback.go",
		old: "carried == nil || !proven || carried.IsOf(rec)", new: "true || carried.IsOf(rec) && proven",
		tests: "TestCoordinatorEndsWhatCannotBeTold",
	},
	{
		name: "a stored session that changes is not deleted", file: "internal/vault/engine.go",
		old: "		case !removed: // another request has saved it meanwhile\n			continue\n", new: "		case !removed:\n			return nil\n",
		tests: "TestNewStoreSaveDuringDelete",
	},
	{
		name: "a store keeps what it saved of an ended session", file: "internal/active/sessions.go",
		old: "_, creates := s.vault.(*vault.Store); creates {", new: "_, creates := s.vault.(*vault.Store); false && creates {",
		tests: "TestCoordinatorLogoutDuringGorillaSave",
	},
	{
		name: "a replaced session comes back to a store", file: "internal/active/sessions.go",
		old: "	if s.Grants.Replaced(rec) {\n		return true\n	}\n", new: "",
		packages: ".", tests: "TestStoreSessionReplacedWhileSealedAnew",
	},
	{
		name: "a pause keeps a refused session", file: "internal/tokens/refresh.go",
		old: "errors.Is(err, instances.ErrPaused) && refused != nil:", new: "errors.Is(err, instances.ErrPaused) && refused != nil && false:",
		tests: "TestCoordinatorRefusalEndsWithToken",
	},
	{
		name: "older tokens replace newer ones in memory", file: "internal/memory/grants.go",
		old: "		case known.record.Generation() > rec.Generation(): // perhaps the only copy\n			return true\n", new: "",
		packages: "./internal/memory", tests: "TestRefreshedKeepsNewest",
	},
}
