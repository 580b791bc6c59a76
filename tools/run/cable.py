# SPDX-License-Identifier: MIT
"""A cable between the serial line of an emulated machine and programs that connect to a TCP port."""
import selectors
import socket
import threading


class Cable:
    """Carries bytes between COM2 and whoever connects to the port, one after the other."""

    def __init__(self, line):
        self.line = line
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self._carry, daemon=True).start()

    def _carry(self):
        with selectors.DefaultSelector() as selector:
            selector.register(self.line, selectors.EVENT_READ)
            selector.register(self.server, selectors.EVENT_READ)
            other = None
            while True:
                for key, _ in selector.select():
                    if key.fileobj is self.server:
                        other = self.server.accept()[0]
                        selector.register(other, selectors.EVENT_READ)
                        continue
                    try:
                        data = key.fileobj.recv(4096)
                    except ConnectionError:
                        data = b""
                    if key.fileobj is self.line and not data:
                        return
                    if not data:
                        selector.unregister(other)
                        other.close()
                        other = None
                    elif key.fileobj is other:
                        self.line.sendall(data)
                    elif other:
                        other.sendall(data)
