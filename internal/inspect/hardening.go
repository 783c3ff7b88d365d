package inspect

import (
	"debug/elf"
	"slices"
	"strings"

	"xbuild/internal/object"
)

// Hardening is what a binary does against the misuse of its bugs. "" is what the format or the machine does not have;
// "unknown" what nothing in it tells.
type Hardening struct {
	RELRO          string   `json:"relro,omitempty"` // none, partial, full
	BindNow        string   `json:"bind_now,omitempty"`
	NX             string   `json:"nx,omitempty"`
	StackProtector string   `json:"stack_protector,omitempty"`
	Fortify        string   `json:"fortify,omitempty"`
	Fortified      []string `json:"fortified,omitempty"` // checked functions that it calls
	IBT            string   `json:"ibt,omitempty"`       // x86: Control-flow Enforcement
	SHSTK          string   `json:"shstk,omitempty"`
	BTI            string   `json:"bti,omitempty"` // arm64
	PAC            string   `json:"pac,omitempty"`
	ASLR           string   `json:"aslr,omitempty"` // PE, Mach-O
	HighEntropy    string   `json:"high_entropy,omitempty"`
	CFG            string   `json:"control_flow_guard,omitempty"`
	Signature      string   `json:"signature,omitempty"` // Mach-O: there is one; whose is not looked at
}

// rows are the hardening as a table.
func (h *Hardening) rows() [][2]string {
	var out [][2]string
	for _, r := range [][2]string{
		{"RELRO", h.RELRO}, {"BIND_NOW", h.BindNow}, {"NX", h.NX}, {"stack protector", h.StackProtector},
		{"FORTIFY", h.Fortify}, {"IBT", h.IBT}, {"SHSTK", h.SHSTK}, {"BTI", h.BTI}, {"PAC", h.PAC},
		{"ASLR", h.ASLR}, {"high-entropy ASLR", h.HighEntropy}, {"control flow guard", h.CFG}, {"signature", h.Signature},
	} {
		if r[1] != "" {
			out = append(out, r)
		}
	}
	return out
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// bySymbols says whether code was compiled with stack protector and FORTIFY, by the functions that such code calls
// (glibc, musl and libssp share the names).
func (h *Hardening) bySymbols(names func(func(string)) error) error {
	protector := false
	err := names(func(name string) {
		name = strings.TrimPrefix(name, "_") // Mach-O's
		switch {
		case name == "_stack_chk_fail", name == "__stack_chk_fail", name == "__stack_chk_fail_local",
			name == "_stack_chk_fail_local", name == "__stack_chk_guard", name == "_stack_chk_guard":
			protector = true
		case strings.HasPrefix(name, "_") && strings.HasSuffix(name, "_chk") && !strings.Contains(name, "stack_chk"):
			name = "_" + name
			if len(h.Fortified) < 256 && !slices.Contains(h.Fortified, name) {
				h.Fortified = append(h.Fortified, name)
			}
		}
	})
	slices.Sort(h.Fortified)
	h.StackProtector, h.Fortify = yes(protector), yes(len(h.Fortified) > 0)
	return err
}

func (e elfFile) harden(r *Report, d *object.Dynamic, n notes) error {
	if r.Kind != Executable && r.Kind != Shared && r.Kind != Relocatable {
		return nil
	}
	h := &Hardening{}
	r.Hardening = h
	if r.Kind == Relocatable {
		if s := e.Section(".note.GNU-stack"); s != nil {
			h.NX = yes(s.Flags&elf.SHF_EXECINSTR == 0)
		}
	} else {
		h.NX = "no" // without PT_GNU_STACK the kernel may make the stack executable
		if p := e.Prog(elf.PT_GNU_STACK); p != nil {
			h.NX = yes(p.Flags&elf.PF_X == 0)
		}
		h.RELRO = "none"
		if relro := e.Prog(elf.PT_GNU_RELRO); relro != nil {
			h.RELRO = "partial"
			// A program without a dynamic section binds nothing later; its table of functions may lie outside all the
			// same.
			plt := e.Section(".got.plt")
			covered := plt == nil || plt.Addr >= relro.Vaddr && plt.Addr+plt.Size <= relro.Vaddr+relro.Memsz
			if d.BindNow || !d.Present && len(e.Sections) > 0 && covered {
				h.RELRO = "full"
			}
		}
		if d.Present {
			h.BindNow = yes(d.BindNow)
		}
	}
	switch {
	case e.x86():
		h.IBT, h.SHSTK = yes(n.features&1 != 0), yes(n.features&2 != 0)
	case e.Machine == elf.EM_AARCH64:
		h.BTI, h.PAC = yes(n.features&1 != 0), yes(n.features&2 != 0)
	}
	err := h.bySymbols(func(use func(string)) error { return e.symbolNames(r, use) })
	// In a static program the C library's own code calls the same functions, and one without symbols has nothing left
	// that tells.
	if r.Link == Static || r.Link == StaticPIE {
		for _, s := range []*string{&h.StackProtector, &h.Fortify} {
			if *s == "yes" || r.Stripped {
				*s = "unknown"
			}
		}
		h.Fortified = nil
	}
	return err
}
