"""One user's try-ons, for the time of one call: what costs money is here, what does not in `showing` and `looking`."""

from kolors_mcp import errors
from kolors_mcp.jobs.jobs import Sighting
from kolors_mcp.jobs.memory import Inputs
from kolors_mcp.ledger.job import NewJob
from kolors_mcp.models import MAX_LABEL_CHARACTERS, TryOn, new_reference
from kolors_mcp.pictures import InlinePicture, Picture
from kolors_mcp.try_ons.answers import units_of
from kolors_mcp.try_ons.preparing import fingerprint, label_for, model_for, notes_on, prepare
from kolors_mcp.try_ons.request import TryOnRequest
from kolors_mcp.try_ons.showing import Showing
from kolors_mcp.wording import folded, plain, quoted

SENDING_SECONDS = 10.0
"""Of a call's time that are left for the sending, after the pictures are ready."""
MAY_NOT_CREATE = (
    "This token is for looking only: to start what costs money it needs the scope try_on:create too. Nothing was sent. "
    "Ask whoever gives out the tokens for one that has it."
)
NOT_CALLED_BACK = (
    "callback_url: this try-on was started by an earlier call, and Kling calls only the address that came with that one"
)


class TryOns(Showing):
    """What one user can do with their try-ons."""

    async def create(self, request: TryOnRequest) -> TryOn:
        """Prepare the pictures, start the paid task once, and wait for it if the caller wants to.

        Raises:
            MayNotCreateError: This user may only look.
            ArgumentError: The combination of garments and model cannot work. Nothing was sent.
            PictureRefusedError: A picture cannot be had or used. Nothing was sent.
            LedgerError, DailyLimitError: It may not be paid for. Nothing was sent.
            KlingError: As `KlingClient.create` says.
        """
        from kolors_mcp.kling.wire import CreateRequest  # noqa: PLC0415  (the HTTP client is loaded on first use)

        if not self._may_create:
            raise errors.MayNotCreateError(MAY_NOT_CREATE)
        self._jobs.require_credentials()
        model_name, about_model = model_for(request, self._settings.model)
        self._call.report("preparing the pictures")
        request = await self._with_given(request)
        human, cloth = await self._prepared(request)
        notes = (*notes_on(request, human, cloth), *about_model)
        new = NewJob(
            new_reference(),
            self._call.user,
            fingerprint(human, cloth),
            model_name,
            (human.label, cloth.label),
            notes,
            fresh=request.new_render,
            label=label_for(request, cloth),
        )
        callback_url = request.callback_url or self._jobs.callback_address(new.reference)
        seen = await self._jobs.submit(
            new,
            CreateRequest(human, cloth, model_name, callback_url, new.reference),
            Inputs(request.human_image, request.cloth_image, request.lower_cloth_image),
            self._call,
            daily_limit=self._settings.daily_limit,
        )
        if not seen.is_new and not self._is_called_back(seen, request.callback_url):
            notes = (*notes, NOT_CALLED_BACK)
        if not seen.is_new:
            notes = (*notes, *_about_label(request.label, seen))
        # Of a create that was joined, the notes tell of other copies of the same pictures.
        answer = self._answers.of_task(seen, reused=not seen.is_new, notes=notes)
        return await self._answer(answer, self._call, units_of(seen))

    async def _with_given(self, request: TryOnRequest) -> TryOnRequest:
        """Return the request with what earlier creates were given in place of the addresses that name it.

        So that it is remembered itself, for the next one that names this create.
        """
        lower = request.lower_cloth_image
        return request._replace(
            human_image=await self._given(request.human_image, "human_image"),
            cloth_image=await self._given(request.cloth_image, "cloth_image"),
            lower_cloth_image=None if lower is None else await self._given(lower, "lower_cloth_image"),
        )

    def _is_called_back(self, seen: Sighting, callback_url: str | None) -> bool:
        """Whether Kling calls this address about a create, if there is one; what is not known counts as no."""
        return callback_url is None or (
            seen.job is not None and self._jobs.memory.callback_of(seen.job.reference) == callback_url
        )

    async def _hint(self, request: TryOnRequest, refusal: str) -> str | None:
        """Return what to give where a refused picture is the label of a try-on.

        A label alone is never taken for a picture: it may as well describe a garment of which there is no photo, and
        the wrong picture would be paid for.
        """
        given = request.human_image if refusal.startswith("human_image ") else request.cloth_image
        if isinstance(given, InlinePicture) or len(given) > MAX_LABEL_CHARACTERS or not plain(given):
            return None
        found = await self._jobs.labelled(self._call.user, plain(given), 1)
        name = quoted(found[0].task_id or found[0].reference, 80) if found else None
        return name and f"An earlier try-on is called so: give its task_id {name} if its result is meant."

    async def _prepared(self, request: TryOnRequest) -> tuple[Picture, Picture]:
        with self._call.deadline.earlier(SENDING_SECONDS).scope():
            try:
                return await prepare(request, self._pictures, self._source_of)
            except errors.PictureRefusedError as error:
                hint = await self._hint(request, str(error))
                raise errors.PictureRefusedError(f"{error} {hint}") if hint else error from error
        raise errors.PictureRefusedError(
            "The pictures were not ready in time. Nothing was sent. Use smaller ones, or pictures that load faster."
        )


def _about_label(wanted: str | None, seen: Sighting) -> tuple[str, ...]:
    """Say that a try-on keeps what it was called first, where this call calls it something else."""
    called = None if seen.job is None else seen.job.label
    if wanted is None or (called is not None and folded(called) == folded(wanted)):
        return ()
    keeps = "no label" if called is None else f"its label {quoted(called, 80)}"
    return (f"label: this try-on was started by an earlier call and keeps {keeps}",)
