"""Native tests of the SDK: `python3 -m unittest discover -t sdk/python -s sdk/python/tests`, without wasm or any
package."""
