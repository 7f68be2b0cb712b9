package main

import "slices"

// mutants are the breakages that matter most: each takes away something that
// SECURITY.md or the documentation promises.
var mutants = slices.Concat(
	agreementMutants,
	backChannelMutants,
	cookieMutants,
	coordinatorMutants,
	deviceMutants,
	eventMutants,
	gateMutants,
	homePathMutants,
	instanceMutants,
	loginMutants,
	outputMutants,
	pageMutants,
	profileMutants,
	providerMutants,
	providersMutants,
	releaseMutants,
	resourceMutants,
	scriptMutants,
	sessionMutants,
	testKitMutants,
	userInfoMutants,
)
