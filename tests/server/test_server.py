"""The server as a whole, among clients that keep to nothing; `fuzz_server.py --socket` does it for long."""

import logging

import httpx
import pytest
import rough_clients

from rtchat.server.limits import Limits
from rtchat.server.run import ServerConfig, embedded


@pytest.mark.parametrize("beta", [False, True])
async def test_rough_clients_leave_it_as_it_was(engines, connect, answered, caplog, beta):
    config = ServerConfig(beta=beta, limits=Limits(max_frame=64 * 1024))
    async with embedded(config, engines=engines) as url, httpx.AsyncClient() as http:
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # what escapes from the application
        base = url.replace("ws", "http", 1).removesuffix("/v1")
        told = await rough_clients.crowd("127.0.0.1", int(base.rsplit(":", 1)[1]), frames=400, seed=beta, at_once=8)
        assert told.wrong == []
        assert told.sent["text"] > 100
        assert told.got["error"] > 50
        await answered(http, f"{base}/v1/pool", lambda answer: answer.json()["live"] == 0)
        await answered(http, f"{base}/metrics", lambda answer: "\nrtchat_sessions 0\n" in answer.text)
        assert (await http.get(f"{base}/healthz")).json() == {"status": "ok", "sessions": 0}
        async with connect(url) as client:
            await client.say("hello")
            await client.send("response.create")
            assert (await client.until("response.done"))[-1]["response"]["status"] == "completed"
    said = {record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR}
    assert said <= {"Invalid UTF-8 sequence received from client."}
    assert "socket.send() raised exception." not in caplog.messages
