"""A bank that asks for many scores, several at a time, as a process of its own; what a bank's own program would do.

    python -m dev.bank_worker BANK_TOML QUESTIONS

QUESTIONS is {"scorecard", "purpose", "companies": [code, …], "at_a_time"}. Prints one JSON object: `scores` by company,
`seconds_each` (question to opened score) and `seconds` for all.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from bank_client.client import AsyncBankClient
from consentgate.errors import ConsentgateError
from consentgate.terminal import ExitCode, print_error


async def ask_all(config: Path, questions: dict[str, Any]) -> dict[str, Any]:
    """All questions; the first refusal ends it."""
    gate = asyncio.Semaphore(questions["at_a_time"])
    seconds: list[float] = []

    async with AsyncBankClient.from_config(config, allow_development_ca=True) as bank:

        async def ask(company: str) -> int:
            async with gate:
                began = time.monotonic()
                score = await bank.score(
                    company=company, scorecard=questions["scorecard"], purpose=questions["purpose"]
                )
                seconds.append(time.monotonic() - began)
                return score.value

        began = time.monotonic()
        first, *others = questions["companies"]
        # Alone: with it every department checks the bank's key, which would only make others wait in line.
        scores = {first: await ask(first)}
        async with asyncio.TaskGroup() as group:
            tasks = {company: group.create_task(ask(company)) for company in others}
        elapsed = time.monotonic() - began
    scores |= {company: task.result() for company, task in tasks.items()}
    return {"scores": scores, "seconds_each": seconds, "seconds": elapsed}


def main() -> None:
    config, questions = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
    try:
        print(json.dumps(asyncio.run(ask_all(config, questions))))
    except* ConsentgateError as group:
        refused = next(error for error in group.exceptions if isinstance(error, ConsentgateError))
        print_error(refused, notes=getattr(refused, "__notes__", ()))
        sys.exit(ExitCode.REFUSED)


if __name__ == "__main__":
    main()
