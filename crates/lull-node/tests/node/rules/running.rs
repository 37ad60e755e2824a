pub(super) const _UNUSED: () = ();
