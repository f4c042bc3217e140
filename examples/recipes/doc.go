// Package recipes shows one way to do each of the things that apps want beyond
// the quickstart. Every file stands for itself; copy what you need.
package recipes
