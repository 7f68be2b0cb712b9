package main

import "slices"

// mutants are the breakages that matter most: each takes away something that
// SECURITY.md or the documentation promises.
var mutants = slices.Concat(
	agreementMutants,
	backChannelMutants,
	combinedMutants,
	cookieMutants,
	coordinatorMutants,
	deviceMutants,
	eventMutants,
	firstDayMutants,
	gateMutants,
	instanceMutants,
	loginMutants,
	newcomerMutants,
	outputMutants,
	pageMutants,
	profileMutants,
	providerMutants,
	providersMutants,
	releaseMutants,
	resourceMutants,
	secondDayMutants,
	sessionMutants,
)
