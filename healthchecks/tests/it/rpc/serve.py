"""Real counterparts for the tests: gRPC's health service and a WebSocket, both
plain and with TLS.

    serve.py CHAIN KEY GRPC GRPC-TLS WS WS-TLS    (the last four are ports)
"""

import asyncio
import ssl
import sys
from concurrent import futures

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from websockets.asyncio.server import serve


def grpc_server(port, credentials):
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    servicer = health.HealthServicer()
    told = health_pb2.HealthCheckResponse
    for service, status in [
        ("", told.SERVING),
        ("shop", told.SERVING),
        ("late", told.NOT_SERVING),
        ("odd", told.UNKNOWN),
    ]:
        servicer.set(service, status)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    address = f"127.0.0.1:{port}"
    if credentials:
        server.add_secure_port(address, credentials)
    else:
        server.add_insecure_port(address)
    server.start()
    return server


def refuse(connection, request):
    if request.path == "/closed":
        return connection.respond(403, "closed\n")
    if request.path == "/token" and request.headers.get("X-Token") != "word":
        return connection.respond(401, "who?\n")


async def echo(connection):
    if connection.request.path == "/leave":
        return
    async for message in connection:
        await connection.send(message)


async def main(chain, key, plain, secure, ws, wss):
    with open(key, "rb") as key_file, open(chain, "rb") as chain_file:
        pair = (key_file.read(), chain_file.read())
    kept = [grpc_server(plain, None), grpc_server(secure, grpc.ssl_server_credentials([pair]))]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    async with (
        serve(echo, "127.0.0.1", int(ws), process_request=refuse),
        serve(echo, "127.0.0.1", int(wss), process_request=refuse, ssl=context),
    ):
        await asyncio.get_running_loop().create_future()
    return kept


asyncio.run(main(*sys.argv[1:]))
