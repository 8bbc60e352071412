//go:build !linux

package main

func letTimersBeLate() {} // other systems have no such setting
