"""A mail server for the tests: TLS and logins as a real one has them, and messages kept as lines of JSON.

What it does with a recipient stands before the @: `nobody` is refused for good, `later-2` is put off
twice, `hang` never gets an answer, `spam` is refused once its text has come.
"""

import asyncio
import json
import ssl
import sys
from collections import Counter

from aiosmtpd.smtp import SMTP, AuthResult


class Keeper:
    def __init__(self, path):
        self.path = path
        self.asked = Counter()

    async def handle_RCPT(self, server, session, envelope, address, options):
        name = address.partition("@")[0]
        self.asked[address] += 1
        if name == "nobody":
            return "550 5.1.1 no such user"
        if name.startswith("later-") and self.asked[address] <= int(name.partition("-")[2]):
            return "451 4.7.1 greylisted, try again"
        if name == "closing":
            return "421 4.3.2 shutting down"
        if name == "hang":
            await asyncio.sleep(3600)
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        if envelope.rcpt_tos[0].startswith("spam@"):
            return "554 5.7.1 looks like spam"
        login = session.auth_data
        line = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "text": envelope.original_content.decode("ascii", "backslashreplace"),
            "user": login.login.decode() if login else None,
            "tls": server.transport.get_extra_info("ssl_object") is not None,
            "port": session.peer[1],
        }
        with open(self.path, "a") as file:
            file.write(json.dumps(line) + "\n")
        return "250 2.0.0 taken"


def authenticator(user, password):
    def check(server, session, envelope, mechanism, data):
        right = data.login == user.encode() and data.password == password.encode()
        return AuthResult(success=right, handled=False, auth_data=data)

    return check


async def main(settings):
    keeper = Keeper(settings["kept"])
    context = None
    if settings["cert"]:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(settings["cert"], settings["key"])
    wrapped = settings["mode"] == "tls"
    starts = settings["mode"] == "starttls"
    options = {"hostname": "mail.test", "enable_SMTPUTF8": True}
    if settings["user"]:
        options["authenticator"] = authenticator(settings["user"], settings["password"])
        options["auth_required"] = True
        options["auth_require_tls"] = starts
    if starts:
        options["tls_context"] = context
        options["require_starttls"] = True
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(keeper, loop=loop, **options),
        "127.0.0.1",
        settings["port"],
        ssl=context if wrapped else None,
    )
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await server.serve_forever()


asyncio.run(main(json.loads(sys.argv[1])))
