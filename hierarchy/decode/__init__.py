"""Reads bytes that nobody has to trust: pictures, orders and headers of stored instances.

It runs as a process of its own with limits on memory and time (`python -m hierarchy.decode`, started by
`hierarchy.decoder`), so that a bomb or a crash in a codec never takes the web process down. It knows neither Django
nor the settings.
"""
